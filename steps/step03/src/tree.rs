//! A mount that is in no directory yet: a descriptor instead of a path.
//!
//! The new root hides the machine's files, and from step06 on "root" inside
//! may not even walk the path to them (a home directory with mode 0700). So
//! the launcher takes hold of a folder with open_tree(2), which works with the
//! launcher's rights, and the new process hangs that in place with
//! move_mount(2). Descriptors cross clone3 like all others.

use std::cell::OnceCell;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use step00::stat::fstat;

/// Flags of open_tree(2) and move_mount(2) that libc does not have.
const OPEN_TREE_CLONE: libc::c_uint = 1;
const MOVE_MOUNT_EMPTY_PATHS: libc::c_uint = 0x04 | 0x40;

/// Attributes of mount_setattr(2).
pub const MOUNT_ATTR_RDONLY: u64 = 0x01;
/// Owners are shown as a user namespace maps them.
pub const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;

/// Where mounts are passed on to (linux/mount.h), in the width of `struct
/// mount_attr`: libc has these in that of a register.
pub const MS_PRIVATE: u64 = 0x4_0000;
/// As above.
pub const MS_SLAVE: u64 = 0x8_0000;
/// As above.
pub const MS_SHARED: u64 = 0x10_0000;
/// As above.
pub const MS_UNBINDABLE: u64 = 0x2_0000;

/// `struct mount_attr` of <linux/mount.h>.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct Attributes {
    /// Attributes to switch on.
    pub set: u64,
    /// Attributes to switch off.
    pub clear: u64,
    /// MS_PRIVATE and the like, 0 for as it is.
    pub propagation: u64,
    /// With MOUNT_ATTR_IDMAP: the user namespace whose map counts.
    pub userns_fd: u64,
}

impl Attributes {
    /// Nothing can be changed by way of this mount, EROFS.
    pub const READ_ONLY: Attributes = Attributes {
        set: MOUNT_ATTR_RDONLY,
        clear: 0,
        propagation: 0,
        userns_fd: 0,
    };
}

/// A copy of the mounts at `path` and below, attached to nothing.
#[derive(Debug)]
pub struct Tree {
    /// Where it comes from, as the launcher sees it.
    pub path: PathBuf,
    ties: Ties,
    /// What is taken along by who takes hold of it later: AT_RECURSIVE, or 0.
    reach: libc::c_int,
    mount: OnceCell<OwnedFd>,
}

/// Do mounts that are made later on one side appear on the other as well?
/// (mount_namespaces(7), "Shared subtrees".)
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ties {
    /// No: the copy is private.
    Cut,
    /// As the original's are. Who hangs it in decides.
    Kept,
}

impl Tree {
    /// Takes hold of the folder or file at `path`.
    ///
    /// Cloning a mount takes CAP_SYS_ADMIN in the user namespace that owns it.
    /// A launcher without it (`--rootless`) leaves this to the new process,
    /// which is root of a mount namespace of its own; see [`Tree::hold`].
    ///
    /// # Errors
    /// ENOENT when there is nothing, EACCES when it may not be reached.
    pub fn open(path: &Path) -> Result<Tree> {
        Tree::take(path, libc::AT_RECURSIVE, Ties::Cut)
    }

    /// The same without what is mounted below: all that a layer of an overlay
    /// shows is the one filesystem that it is on (overlayfs.rst).
    ///
    /// # Errors
    /// As above.
    pub fn open_alone(path: &Path) -> Result<Tree> {
        Tree::take(path, 0, Ties::Cut)
    }

    /// The same, `whole` with what is mounted below, and not made private:
    /// where the machine's mount is shared, this one is in its peer group.
    ///
    /// # Errors
    /// As above.
    pub fn open_tied(path: &Path, whole: bool) -> Result<Tree> {
        let reach = if whole { libc::AT_RECURSIVE } else { 0 };
        Tree::take(path, reach, Ties::Kept)
    }

    /// The same for the new process to take, of what its own mount namespace
    /// has there: see [`Tree::hold`].
    ///
    /// # Errors
    /// ENOENT when there is nothing by now.
    pub fn later(path: &Path, whole: bool) -> Result<Tree> {
        let reach = if whole { libc::AT_RECURSIVE } else { 0 };
        Tree::find(path, reach, Ties::Kept)
    }

    fn find(path: &Path, reach: libc::c_int, ties: Ties) -> Result<Tree> {
        let path = path
            .canonicalize()
            .with_context(|| format!("find {}", path.display()))?;
        Ok(Tree { path, ties, reach, mount: OnceCell::new() })
    }

    fn take(path: &Path, reach: libc::c_int, ties: Ties) -> Result<Tree> {
        // In a user namespace no process may look under a mount that it
        // inherited: what is mounted below comes along in any case.
        let tree = Tree::find(path, libc::AT_RECURSIVE, ties)?;
        match clone(&tree.path, reach, ties) {
            Ok(mount) => drop(tree.mount.set(mount)),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            Err(error) => {
                return Err(error).with_context(|| tree.taking_hold());
            }
        }
        Ok(tree)
    }

    /// The mount. If the launcher was not allowed to take it, or left it, this
    /// process does, by the path; so call it before that is hidden.
    pub fn hold(&self) -> Result<BorrowedFd<'_>> {
        if self.mount.get().is_none() {
            let mount = clone(&self.path, self.reach, self.ties)
                .with_context(|| self.taking_hold())?;
            let _ = self.mount.set(mount);
        }
        Ok(self.mount.get().context("hold a mount")?.as_fd())
    }

    /// Takes hold of what a descriptor refers to, and of nothing that a path
    /// might lead to by now. `path` is for messages.
    ///
    /// # Errors
    /// EPERM without CAP_SYS_ADMIN over the mount that it is in.
    pub fn of(descriptor: BorrowedFd<'_>, path: &Path) -> Result<Tree> {
        let reach = libc::AT_RECURSIVE | libc::AT_EMPTY_PATH;
        let mount =
            clone_at(descriptor.as_raw_fd(), Path::new(""), reach, Ties::Cut)
                .with_context(|| taking_hold(path))?;
        Ok(Tree::held(mount, path))
    }

    /// A mount that somebody else has taken hold of. `path` is for messages.
    pub fn held(mount: OwnedFd, path: &Path) -> Tree {
        let (path, mount) = (path.into(), OnceCell::from(mount));
        Tree { path, ties: Ties::Cut, reach: 0, mount }
    }

    /// Is it the device with these two numbers, whatever it is called?
    ///
    /// # Errors
    /// When it is another file. By its name alone it could be anything, where
    /// somebody else has had a hand in the folder (CVE-2025-31133).
    pub fn must_be_device(&self, numbers: (u32, u32)) -> Result<()> {
        let found = fstat(self.hold()?).context("look at a device")?;
        let is_device = found.st_mode & libc::S_IFMT == libc::S_IFCHR
            && found.st_rdev == libc::makedev(numbers.0, numbers.1);
        match is_device {
            true => Ok(()),
            false => bail!(
                "trust {}: it is not the device {}:{}",
                self.path.display(),
                numbers.0,
                numbers.1
            ),
        }
    }

    /// Holds another mount instead, which shows the same files.
    pub fn replace(&mut self, mount: OwnedFd) {
        self.mount = OnceCell::from(mount);
    }

    /// Mounts it on `target`, once.
    ///
    /// # Errors
    /// EINVAL when one is a folder and the other is not.
    pub fn attach(&self, target: BorrowedFd<'_>) -> Result<()> {
        let mount = self.hold()?.as_raw_fd();
        let empty = c"".as_ptr();
        // SAFETY: both descriptors are open, both strings are constants.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                mount,
                empty,
                target.as_raw_fd(),
                empty,
                MOVE_MOUNT_EMPTY_PATHS,
            )
        };
        Errno::result(answer)
            .map(drop)
            .with_context(|| format!("mount {}", self.path.display()))
    }

    fn taking_hold(&self) -> String {
        taking_hold(&self.path)
    }
}

fn taking_hold(path: &Path) -> String {
    format!("take hold of {} with open_tree", path.display())
}

/// Copies a mount, alone or with all that is mounted below it, and makes the
/// copy private: whatever happens in the container, the machine's mounts stay.
/// With its ties kept it is for the caller to see to that.
fn clone(path: &Path, reach: libc::c_int, ties: Ties) -> io::Result<OwnedFd> {
    clone_at(libc::AT_FDCWD, path, reach, ties)
}

fn clone_at(
    folder: libc::c_int,
    path: &Path,
    reach: libc::c_int,
    ties: Ties,
) -> io::Result<OwnedFd> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | reach as u32;
    // SAFETY: the string lives until the call returns.
    let mount = unsafe {
        libc::syscall(libc::SYS_open_tree, folder, text.as_ptr(), flags)
    };
    if mount == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    let mount = unsafe { OwnedFd::from_raw_fd(mount as i32) };
    if ties == Ties::Kept {
        return Ok(mount);
    }
    let propagation = MS_PRIVATE;
    change(mount.as_fd(), Attributes { propagation, ..Default::default() })?;
    Ok(mount)
}

/// Changes a mount and all below it: mount_setattr(2).
///
/// Attributes that are not named stay as they are. (A remount with mount(2)
/// would take off all that it is not told to keep, such as nosuid.)
///
/// # Errors
/// EINVAL when a filesystem does not support the attribute (idmapped mounts),
/// EPERM without CAP_SYS_ADMIN over the mount.
pub fn change(
    mount: BorrowedFd<'_>,
    attributes: Attributes,
) -> io::Result<()> {
    set_attributes(mount, libc::AT_RECURSIVE, attributes)
}

/// The same for this mount alone.
///
/// # Errors
/// As above.
pub fn change_alone(
    mount: BorrowedFd<'_>,
    attributes: Attributes,
) -> io::Result<()> {
    set_attributes(mount, 0, attributes)
}

fn set_attributes(
    mount: BorrowedFd<'_>,
    reach: libc::c_int,
    attributes: Attributes,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | reach;
    // SAFETY: `attributes` has the kernel's layout and the size that is given
    // with it; the empty string is a constant.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Shows at `target` what is at `source`, read-only throughout.
pub fn bind_read_only(source: &Path, target: &Path) -> Result<()> {
    let tree = Tree::open(source)?;
    change(tree.hold()?, Attributes::READ_ONLY)
        .context("make it read-only")?;
    // O_PATH: it is only to be covered, and need not be readable.
    let target =
        File::options().read(true).custom_flags(libc::O_PATH).open(target)?;
    tree.attach(target.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test of these needs root, as all of this rung.
    fn is_device(path: &str, numbers: (u32, u32)) -> bool {
        let tree = Tree::open(Path::new(path)).expect("take hold of it");
        tree.must_be_device(numbers).is_ok()
    }

    #[test]
    fn a_device_is_told_by_its_numbers_and_not_by_its_name() {
        assert!(is_device("/dev/null", (1, 3)));
        assert!(!is_device("/dev/null", (1, 5)), "another device");
        assert!(!is_device("/dev/zero", (1, 3)), "another name");
        assert!(!is_device("/etc/passwd", (1, 3)), "a file");
        assert!(!is_device("/dev", (0, 0)), "a folder, with no number");
        let zero = Tree::open(Path::new("/dev/zero")).expect("take hold");
        let error = zero.must_be_device((1, 3)).expect_err("it is not");
        assert!(error.to_string().contains("/dev/zero"), "{error:#}");
    }

    #[test]
    fn what_cannot_be_held_is_named() {
        let error = Tree::open(Path::new("/no/such")).expect_err("none");
        assert!(error.to_string().contains("find /no/such"), "{error:#}");
        let file = File::open("/proc/self/comm").expect("open a file");
        let tree = Tree::of(file.as_fd(), Path::new("/a/name"));
        let tree = tree.expect("take hold of it");
        assert!(tree.taking_hold().contains("/a/name"));
        let folder = File::open("/").expect("open a folder");
        let error = tree.attach(folder.as_fd()).expect_err("a folder");
        assert!(error.to_string().contains("mount /a/name"), "{error:#}");
    }

    /// What the launcher may not do is left to the process inside (EPERM); what
    /// cannot be done at all is an error at once.
    #[test]
    fn a_mount_that_cannot_be_copied_is_an_error() {
        let folder = witness::Folder::new();
        let _mounts = witness::Covers::new();
        let (kind, none) = (Some("tmpfs"), None::<&str>);
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(kind, folder.path(), kind, flags, none)
            .expect("mount a tmpfs");
        Tree::open(folder.path()).expect("the control");
        let flags = nix::mount::MsFlags::MS_UNBINDABLE;
        nix::mount::mount(none, folder.path(), none, flags, none)
            .expect("make it unbindable");
        let error = Tree::open(folder.path()).expect_err("EINVAL");
        assert!(error.to_string().contains("take hold of"), "{error:#}");
    }

    #[test]
    fn another_mount_takes_its_place() {
        let mut tree = Tree::open(Path::new("/dev/null")).expect("hold it");
        let other = Tree::open(Path::new("/dev/zero")).expect("hold it");
        let mount = other.hold().expect("a mount").try_clone_to_owned();
        tree.replace(mount.expect("another descriptor"));
        tree.must_be_device((1, 5)).expect("it is the other one now");
    }
}
