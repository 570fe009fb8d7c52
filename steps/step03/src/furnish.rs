//! What a new root needs before it can be lived in: /proc, /sys and /dev.
//!
//! The new root may belong to somebody else, who exchanges a folder for a
//! symbolic link in the moment between looking at it and mounting on it. Until
//! the pivot such a link leads to wherever it says on the *machine*. So each
//! folder is opened once, without links, and from then on there is only the
//! descriptor.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, mkdirat};
use step00::Advice;
use step00::stat::fstat;

use crate::{devices, root, tree};

/// Mounts all three in the new root, before the pivot.
///
/// - /proc shows the PID namespace of the process that mounts it.
/// - /sys shows the network interfaces of the mounter's network namespace.
/// - /dev is a small tmpfs with the harmless devices only.
///
/// # Errors
/// When the root lacks one of the three folders and it cannot be made, ELOOP
/// where one is a symbolic link; EPERM for proc inside of another container
/// that has masked parts of /proc.
pub fn furnish(new_root: &Path) -> Result<()> {
    let root = open(new_root, OFlag::O_PATH, Mode::empty())
        .with_context(|| format!("open {}", new_root.display()))?;
    let place = |name| format!("furnish {}", new_root.join(name).display());
    let furnish = |name, mount: &dyn Fn(&Path) -> Result<()>| {
        mount_point(&root, name)
            .and_then(|folder| mount(&path_of(&folder)))
            .with_context(|| place(name))
    };
    furnish("proc", &|proc| {
        root::mount_proc(proc)
            .advice("inside another container? That masks /proc: use a VM")
    })?;
    furnish("sys", &mount_sys)?;
    furnish("dev", &devices::mount_dev)?;
    mounted(&root, "dev")
        .and_then(|dev| devices::fill(&path_of(&dev)))
        .with_context(|| place("dev"))
}

/// In a user namespace a new sysfs takes a network namespace of one's own as
/// well. With `--network host` the machine's /sys is bound in its place.
fn mount_sys(sys: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID
        | MsFlags::MS_NOEXEC
        | MsFlags::MS_NODEV
        | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), sys, Some("sysfs"), flags, None::<&str>)
        .or_else(|errno| match errno {
            Errno::EPERM => tree::bind_read_only(Path::new("/sys"), sys),
            _ => Err(errno.into()),
        })
        .context("mount sysfs")
}

/// A folder of the new root on which something is to be mounted. It is made
/// where the image has none.
fn mount_point(root: &OwnedFd, name: &str) -> Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(0o755);
    match mkdirat(root, name, mode) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => Err(errno).context("make the mount point").advice(
            "a root file system needs the folders proc, sys and dev",
        )?,
    }
    find(root, name)
        .context("open it, and follow no link")
        .advice("a root file system needs the folders proc, sys and dev")
}

/// Opens it again: the first descriptor is now below what is mounted there.
fn mounted(root: &OwnedFd, name: &str) -> Result<OwnedFd> {
    let top = find(root, name).context("find what was mounted")?;
    let is_mounted = fstat(&top)?.st_dev != fstat(root)?.st_dev;
    ensure!(is_mounted, "find what was mounted: somebody has exchanged it");
    Ok(top)
}

/// RESOLVE_NO_SYMLINKS: the path is one name, and that is no link (ELOOP).
fn find(root: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(root, name, how)
}

/// /proc is still the machine's, and leads back to the descriptor.
fn path_of(folder: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", folder.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};
    use std::os::unix::fs::symlink;
    use witness::Folder;

    #[test]
    fn only_a_folder_is_a_place_to_mount_on() {
        let folder = Folder::new();
        create_dir(folder.join("proc")).expect("make a folder");
        write(folder.join("sys"), "").expect("make a file");
        symlink("proc", folder.join("dev")).expect("make a link");
        let root =
            open(folder.path(), OFlag::O_PATH, Mode::empty()).expect("open");
        let errno = |name| find(&root, name).err();
        assert_eq!(errno("proc"), None);
        assert_eq!(errno("sys"), Some(Errno::ENOTDIR));
        assert_eq!(errno("dev"), Some(Errno::ELOOP));
        assert_eq!(errno("etc"), Some(Errno::ENOENT));
    }
}
