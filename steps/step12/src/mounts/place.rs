//! Where in the container something is mounted.
//!
//! config.json names a path, and what the path leads to is a matter of the
//! root filesystem, which anybody may have made: a link to the machine's /etc,
//! or to /proc/sys of the container. So it is followed within the root only
//! (openat2(2), RESOLVE_IN_ROOT), once, and what it has led to is looked at.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use step00::stat::{FileStat, fstat};
use step03::{open_within, target};

/// Files of /proc in place of which a container may be shown its own limits,
/// by lxcfs(1). Everything else there is written to, and believed, by whoever
/// sets a container up: a cover over it has been a way out (CVE-2019-16884).
const MAY_BE_COVERED: [&str; 10] = [
    "proc/cpuinfo",
    "proc/diskstats",
    "proc/loadavg",
    "proc/meminfo",
    "proc/slabinfo",
    "proc/stat",
    "proc/swaps",
    "proc/sys/crypto/fips_enabled",
    "proc/sys/kernel/ns_last_pid",
    "proc/uptime",
];

/// What is to be mounted, as far as the place depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// proc, or a bind of the machine's.
    Proc,
    /// sysfs. It goes, as proc does, where no link leads.
    Sys,
    /// Any other folder.
    Folder,
    File,
}

impl What {
    fn is_folder(self) -> bool {
        self != What::File
    }
}

/// Opens the place, and makes what is missing of it.
///
/// # Errors
/// When it is the root itself or one of the kernel's files, ENOTDIR where a
/// file would go on a folder or a folder on a file, ELOOP for a link in the
/// way of proc.
pub(super) fn open(
    root: &impl AsFd,
    destination: &Path,
    what: What,
) -> Result<OwnedFd> {
    let path = clean(destination);
    let target = match what {
        What::Proc | What::Sys => open_plain(root, &path)?,
        _ => target::make(root, &path, what.is_folder())?,
    };
    let its = fstat(&target)?;
    let same = |a: &FileStat, b: &FileStat| {
        (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
    };
    ensure!(!same(&its, &fstat(root)?), "it is the root itself");
    let is_folder = its.st_mode & libc::S_IFMT == libc::S_IFDIR;
    if is_folder != what.is_folder() {
        return Err(Errno::ENOTDIR).context("a folder goes on a folder only");
    }
    check_proc(root, &target, what)?;
    Ok(target)
}

/// By no link at all: whoever could choose where the container's /proc is
/// could choose what is written to when it is set up (CVE-2023-27561).
fn open_plain(root: &impl AsFd, path: &Path) -> Result<OwnedFd> {
    let rules = ResolveFlag::RESOLVE_NO_SYMLINKS;
    let open = || open_within(root, path, OFlag::O_PATH, rules);
    match open() {
        Err(Errno::ENOENT) => {
            target::make(root, path, true)?;
            open()
        }
        found => found,
    }
    .context("it must be mounted on ordinary directory, behind no link")
}

fn check_proc(root: &impl AsFd, target: &OwnedFd, what: What) -> Result<()> {
    let path = within(root, target)?;
    if path == Path::new("proc") {
        ensure!(what == What::Proc, "/proc is for a filesystem of type proc");
        return Ok(());
    }
    let kind = fstatfs(target)?.filesystem_type();
    let is_procs = kind == PROC_SUPER_MAGIC || path.starts_with("proc");
    let may_be = MAY_BE_COVERED.iter().any(|it| path == Path::new(it));
    ensure!(
        !is_procs || may_be,
        "/{} is inside /proc, and is not to be covered",
        path.display()
    );
    Ok(())
}

/// Where a descriptor is, from the root on, as the kernel tells it: links are
/// followed already. To be called while /proc is the machine's.
pub(super) fn within(root: &impl AsFd, target: &impl AsFd) -> Result<PathBuf> {
    let (root, path) = (name(root)?, name(target)?);
    match path.strip_prefix(&root) {
        Ok(path) => Ok(path.to_owned()),
        Err(_) => bail!("{} is outside of the root", path.display()),
    }
}

fn name(descriptor: &impl AsFd) -> Result<PathBuf> {
    let link = path_of(descriptor);
    fs::read_link(&link).with_context(|| format!("read {}", link.display()))
}

/// A path that leads to what a descriptor refers to, and nowhere else.
pub(super) fn path_of(descriptor: &impl AsFd) -> PathBuf {
    let number = descriptor.as_fd().as_raw_fd();
    format!("/proc/self/fd/{number}").into()
}

/// The path without `.` and `..`, from the root on: what is to be made of it
/// may not be there yet.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use witness::Folder;

    fn open_in(root: &Folder, path: &str, what: What) -> Result<PathBuf> {
        let folder = File::open(root.path())?;
        let target = open(&folder, Path::new(path), what)?;
        within(&folder, &target)
    }

    #[test]
    fn a_path_stays_within_the_root() {
        for (path, right) in [
            ("a/b", "/a/b"),
            ("/a/./b/", "/a/b"),
            ("../../etc", "/etc"),
            ("/a/../../b", "/b"),
            ("", "/"),
        ] {
            assert_eq!(clean(Path::new(path)), Path::new(right), "{path}");
        }
        let root = Folder::new();
        symlink("/etc", root.join("link")).expect("make a link");
        symlink("../../..", root.join("up")).expect("make a link");
        let open = |path| open_in(&root, path, What::Folder);
        assert_eq!(open("/link/x").expect("made"), Path::new("etc/x"));
        assert!(root.join("etc/x").is_dir());
        for path in ["/", "..", "/up", "/a/.."] {
            let error = open(path).expect_err("the root");
            assert!(error.to_string().contains("the root itself"), "{path}");
        }
    }

    #[test]
    fn a_file_goes_on_a_file() {
        let root = Folder::new();
        open_in(&root, "/deep/file", What::File).expect("made");
        assert!(root.join("deep/file").is_file());
        for (path, what) in
            [("/deep", What::File), ("/deep/file", What::Folder)]
        {
            let error = open_in(&root, path, what).expect_err("they differ");
            let errno = error.downcast_ref::<Errno>();
            assert_eq!(errno, Some(&Errno::ENOTDIR), "{error:#}");
        }
        open_in(&root, "/deep/file", What::File).expect("the control");
    }

    #[test]
    fn of_proc_only_some_files_may_be_covered() {
        let root = Folder::new();
        let open = |path, what| open_in(&root, path, what);
        open("/proc", What::Proc).expect("proc itself");
        open("/proc/uptime", What::File).expect("one of lxcfs");
        for (path, what) in [
            ("/proc", What::Folder),
            ("/proc/sys", What::Folder),
            ("/proc/1/attr", What::Folder),
            ("/proc/self", What::Sys),
            ("/proc/kcore", What::File),
        ] {
            let error = open(path, what).expect_err(path);
            assert!(error.to_string().contains("/proc"), "{error:#}");
        }
        open("/process", What::Folder).expect("the control");
        // By way of a link, too.
        symlink("/proc", root.join("other")).expect("make a link");
        open("/other/sys", What::Folder).expect_err("it is /proc/sys");
        open("/other", What::Proc).expect_err("a link is no place for proc");
        symlink("sys", root.join("sys")).expect("make a link");
        open("/sys", What::Sys).expect_err("nor for sysfs");
    }
}
