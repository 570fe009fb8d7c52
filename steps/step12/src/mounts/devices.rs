//! Device nodes: those that every container has, and those of config.json.
//!
//! A node is a name for a driver in the kernel, and mknod(2) can make one for
//! any. Which of them may be opened is for the container's group to say. In a
//! user namespace mknod(2) is refused; there the machine's own node is bound,
//! as step03 does.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, ResolveFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mknodat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};
use step00::stat::{fstat, fstatat};
use step03::tree::{Attributes, Tree, change};
use step03::{open_within, target};

use super::place::{clean, path_of};
use crate::config::mounts::Device;

/// What every container has in /dev, all of driver 1 or 5, for everybody
/// (config-linux.md, "Default Devices").
const DEFAULTS: [(&str, (i64, i64)); 6] = [
    ("/dev/null", NULL),
    ("/dev/zero", (1, 5)),
    ("/dev/full", (1, 7)),
    ("/dev/random", (1, 8)),
    ("/dev/urandom", (1, 9)),
    ("/dev/tty", (5, 0)),
];

const NULL: (i64, i64) = (1, 3);

/// Names that programs expect (runtime-linux.md, "Dev symbolic links").
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// This one is the terminals' own: a link to that of the new devpts.
const PTMX: &str = "/dev/ptmx";

/// Looks at those of config.json before anything is made.
///
/// # Errors
/// With the device, for a type, a number or a path that there is not.
pub(super) fn check(devices: &[Device]) -> Result<()> {
    devices.iter().enumerate().try_for_each(|(number, device)| {
        let name = || format!("linux.devices[{number}] {:?}", device.path);
        kind(device).with_context(name)?;
        let Device { path, major, minor, file_mode, .. } = device;
        let is_pipe = device.kind == "p";
        let has_numbers =
            (0..1 << 12).contains(major) && (0..1 << 20).contains(minor);
        let check = || -> Result<()> {
            ensure!(is_pipe || has_numbers, "there is no {major}:{minor}");
            ensure!(path.is_absolute(), "its path must be absolute");
            let last = clean(path).file_name().map(OsStr::to_owned);
            ensure!(last.is_some(), "its path must have a name");
            let mode = file_mode.unwrap_or_default();
            ensure!(mode & !0o177_777 == 0, "there is no mode {mode:o}");
            Ok(())
        };
        check().with_context(name)
    })
}

fn kind(device: &Device) -> Result<SFlag> {
    Ok(match &*device.kind {
        // An unbuffered one is as any other by now: mknod(1).
        "c" | "u" => SFlag::S_IFCHR,
        "b" => SFlag::S_IFBLK,
        "p" => SFlag::S_IFIFO,
        other => bail!("there is no type {other:?}: c, b, u and p are"),
    })
}

/// Makes all of them, and the links. `is_mapped`: in a user namespace.
pub(super) fn make(
    root: &OwnedFd,
    devices: &[Device],
    is_mapped: bool,
) -> Result<()> {
    let is_named = |path: &str| {
        devices.iter().any(|device| clean(&device.path) == Path::new(path))
    };
    let defaults = DEFAULTS.iter().filter(|(path, _)| !is_named(path));
    let defaults = defaults.map(|&(path, (major, minor))| Device {
        path: path.into(),
        kind: "c".into(),
        major,
        minor,
        ..Device::default()
    });
    let named = devices.iter().cloned();
    for device in defaults.chain(named) {
        if clean(&device.path) != Path::new(PTMX) {
            make_one(root, &device, is_mapped).with_context(|| {
                format!("make the device {}", device.path.display())
            })?;
        }
    }
    link(root).context("make the links in /dev")
}

fn make_one(root: &OwnedFd, device: &Device, is_mapped: bool) -> Result<()> {
    let path = clean(&device.path);
    let above = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().context("find its name")?;
    let folder = target::make(root, above, true)?;
    let (kind, number) = (kind(device)?, number(device));
    // Both numbers and modes are set once more: a umask would narrow these.
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    match mknodat(&folder, name, kind, mode, number) {
        Ok(()) => set(&look(&folder, name, device)?, device),
        // The specification has an error for what is something else. A file
        // that an earlier bind lay on is not: see below.
        Err(Errno::EEXIST) => match look(&folder, name, device) {
            Err(_) if is_mapped && is_empty_file(&folder, name) => {
                bind(&folder, name, device)
            }
            found => found.map(drop),
        },
        Err(Errno::EPERM) if kind != SFlag::S_IFIFO => {
            bind(&folder, name, device)
        }
        Err(errno) => Err(errno).context("mknod"),
    }
}

fn number(device: &Device) -> libc::dev_t {
    match &*device.kind {
        "p" => 0,
        _ => makedev(device.major as u64, device.minor as u64),
    }
}

/// Opens what has this name, if it is the device.
fn look(folder: &OwnedFd, name: &OsStr, device: &Device) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let node = openat(folder, name, flags, Mode::empty())?;
    must_be(node.as_fd(), device)?;
    Ok(node)
}

fn must_be(node: BorrowedFd<'_>, device: &Device) -> Result<()> {
    let found = fstat(node)?;
    let is_kind = found.st_mode & libc::S_IFMT == kind(device)?.bits();
    let is_pipe = device.kind == "p";
    ensure!(
        is_kind && (is_pipe || found.st_rdev == number(device)),
        "{} there is not the device {} {}:{}",
        device.path.display(),
        device.kind,
        device.major,
        device.minor
    );
    Ok(())
}

/// A node's own owner and mode, by the descriptor and by no name.
fn set(node: &OwnedFd, device: &Device) -> Result<()> {
    let uid = Uid::from_raw(device.uid.unwrap_or(0));
    let gid = Gid::from_raw(device.gid.unwrap_or(0));
    fchownat(node, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
        .with_context(|| format!("give it to {uid}:{gid}"))?;
    let mode = device.file_mode.unwrap_or(0o666) & 0o7777;
    let mode = Mode::from_bits_truncate(mode);
    // /proc is the machine's, and fchmod(2) takes no descriptor of O_PATH.
    let (path, follow) = (path_of(node), FchmodatFlags::FollowSymlink);
    fchmodat(nix::fcntl::AT_FDCWD, &path, mode, follow).context("set its mode")
}

fn is_empty_file(folder: &OwnedFd, name: &OsStr) -> bool {
    let found = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW);
    found.is_ok_and(|it| {
        it.st_mode & libc::S_IFMT == libc::S_IFREG && it.st_size == 0
    })
}

/// Shows the machine's node of this path, read-only so that its owner and mode
/// stay: a driver can be written to all the same.
fn bind(folder: &OwnedFd, name: &OsStr, device: &Device) -> Result<()> {
    let node = Tree::open(&device.path)?;
    must_be(node.hold()?, device)?;
    change(node.hold()?, Attributes::READ_ONLY)?;
    let flags = OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let target = openat(folder, name, flags, Mode::empty())?;
    node.attach(target.as_fd())
}

/// What is there already stays, but for ptmx: that of an image would be the
/// machine's terminals.
fn link(root: &OwnedFd) -> Result<()> {
    let dev = target::make(root, Path::new("/dev"), true)?;
    let core = ("core", "/proc/kcore");
    let has_core = Path::new(core.1).exists();
    for (name, to) in LINKS.into_iter().chain(has_core.then_some(core)) {
        match symlinkat(to, &dev, name) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).context(name),
        }
    }
    match unlinkat(&dev, "ptmx", UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno).context("take ptmx away"),
    }
    Ok(symlinkat("pts/ptmx", &dev, "ptmx")?)
}

/// Standard streams that are the machine's /dev/null become the container's:
/// by /proc/self/fd/0 its mode could be changed.
///
/// # Errors
/// When the container's is another device.
pub(super) fn renew_null(root: &OwnedFd) -> Result<()> {
    let null = Device {
        path: PathBuf::from("/dev/null"),
        kind: "c".into(),
        major: NULL.0,
        minor: NULL.1,
        ..Device::default()
    };
    let streams =
        [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];
    for stream in streams {
        // SAFETY: it is only looked at; a number that is not open is EBADF.
        let open = unsafe { BorrowedFd::borrow_raw(stream) };
        if fstat(open).is_err() || must_be(open, &null).is_err() {
            continue;
        }
        let rules = ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let its = open_within(root, &null.path, OFlag::O_RDWR, rules)
            .context("open the container's /dev/null")?;
        must_be(its.as_fd(), &null)?;
        // SAFETY: both numbers are open, and nobody here owns the second.
        let answer = unsafe { libc::dup2(its.as_raw_fd(), stream) };
        Errno::result(answer).context("exchange /dev/null")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
    use witness::Folder;

    fn device(kind: &str, path: &str, numbers: (i64, i64)) -> Device {
        Device {
            path: path.into(),
            kind: kind.into(),
            major: numbers.0,
            minor: numbers.1,
            ..Device::default()
        }
    }

    /// As all tests of devices it needs root.
    #[test]
    fn nodes_are_what_was_asked_for() {
        let root = Folder::new();
        let open = OwnedFd::from(File::open(root.path()).expect("open"));
        symlink("/etc", root.join("link")).expect("make a link");
        let pipe = Device {
            file_mode: Some(0o4640),
            gid: Some(7),
            ..device("p", "/link/../dev/pipe", (8, 666))
        };
        let null = device("c", "/dev/null", (1, 5));
        make(&open, &[pipe, null, device("b", "/link/disk", (8, 666))], false)
            .expect("make them");
        let look =
            |path: &str| root.join(path).symlink_metadata().expect(path);
        let tty = look("dev/tty");
        assert_eq!((tty.rdev(), tty.mode() & 0o7777), (makedev(5, 0), 0o666));
        let pipe = look("dev/pipe");
        assert!(pipe.file_type().is_fifo());
        assert_eq!((pipe.mode() & 0o7777, pipe.gid()), (0o4640, 7));
        assert_eq!(look("dev/null").rdev(), makedev(1, 5), "as it was asked");
        assert_eq!(look("etc/disk").rdev(), makedev(8, 666));
        let ptmx = std::fs::read_link(root.join("dev/ptmx")).expect("a link");
        assert_eq!(ptmx, Path::new("pts/ptmx"));
    }

    #[test]
    fn what_is_something_else_is_an_error() {
        let root = Folder::new();
        let open = OwnedFd::from(File::open(root.path()).expect("open"));
        std::fs::create_dir(root.join("dev")).expect("make a folder");
        std::fs::write(root.join("dev/zero"), "").expect("make a file");
        let error = make(&open, &[], false).expect_err("it is a file");
        let text = format!("{error:#}");
        assert!(text.contains("device /dev/zero"), "{text}");
        assert!(text.contains("is not the device c 1:5"), "{text}");
        std::fs::remove_file(root.join("dev/zero")).expect("the control");
        make(&open, &[], false).expect("make them");
        make(&open, &[], false).expect("what is there already is right");
    }

    #[test]
    fn numbers_paths_and_types_are_checked() {
        let check = |it| check(&[it]).map_err(|error| format!("{error:#}"));
        check(device("c", "/dev/x", (10, 229))).expect("the control");
        check(device("p", "/dev/x", (-1, 1 << 30))).expect("has no number");
        for (wrong, why) in [
            (device("d", "/dev/x", (1, 3)), "no type \"d\""),
            (device("c", "/dev/x", (-1, 3)), "there is no -1:3"),
            (device("b", "/dev/x", (1, 1 << 20)), "there is no 1:1048576"),
            (device("c", "dev/x", (1, 3)), "must be absolute"),
            (device("c", "/x/..", (1, 3)), "must have a name"),
        ] {
            let text = check(wrong).expect_err(why);
            assert!(text.contains(why), "{text}");
            assert!(text.contains("linux.devices[0]"), "{text}");
        }
    }
}
