//! The primitive of step03: another root directory.
//!
//! Four things in order: let go of the machine's mounts, make the new root a
//! mount, furnish it, and pivot. The kernel's own files (/proc, /sys) are
//! mounted *before* the pivot: in a user namespace (step06) the kernel
//! allows a new proc or sysfs only while an old one is fully visible, or one
//! could look behind what somebody has mounted over it (user_namespaces(7)).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use step00::Advice;

use crate::{devices, tree};

const NO_TYPE: Option<&str> = None;

// ANCHOR: seclude
/// Lets go of the machine's mounts.
///
/// A new mount namespace starts with a copy of every mount, and systemd makes
/// `/` *shared*: what is mounted on the copy would be mounted on the original
/// as well (mount_namespaces(7), "Shared subtrees"). pivot_root(2) refuses to
/// work in such a place, with EINVAL.
pub fn seclude() -> Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NO_TYPE, "/", NO_TYPE, flags, NO_TYPE)
        .context("make every mount private")
}
// ANCHOR_END: seclude

// ANCHOR: bind
/// Makes a mount of a directory, by binding it onto itself.
///
/// pivot_root(2) exchanges *mounts*. To a directory that is merely part of one
/// it answers EBUSY if that is the mount of `/`, EINVAL if it is another one.
/// (step04 needs no such trick, an overlay is a mount.)
pub fn bind_onto_itself(new_root: &Path) -> Result<()> {
    // What is mounted on / is above it, and no path leads there: every path
    // begins at the root directory that this process has already.
    if new_root == Path::new("/") {
        return Err(anyhow!("bind / onto itself: it is the root already"))
            .advice("another folder; step04 can lay its own writes over /");
    }
    // Recursive: in a user namespace the kernel does not allow a bind that
    // would leave out what is mounted below, and so show what lies under it.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(new_root), new_root, NO_TYPE, flags, NO_TYPE)
        .with_context(|| format!("bind {} onto itself", new_root.display()))
}
// ANCHOR_END: bind

/// Mounts /proc, /sys and /dev in the new root.
///
/// - /proc shows the PID namespace of the process that mounts it: after this,
///   `ps` is blind at last.
/// - /sys shows the network interfaces of the mounter's network namespace.
/// - /dev is a small tmpfs with the harmless devices only.
pub fn furnish(new_root: &Path) -> Result<()> {
    // ANCHOR: proc
    let common = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    let proc = mount_point(new_root, "proc")?;
    mount(Some("proc"), &proc, Some("proc"), common, NO_TYPE)
        .with_context(|| format!("mount proc on {}", proc.display()))
        .advice("inside another container? That masks /proc: use a real VM")?;
    // ANCHOR_END: proc

    let sys = mount_point(new_root, "sys")?;
    let read_only = common | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), &sys, Some("sysfs"), read_only, NO_TYPE)
        // In a user namespace a new sysfs takes a network namespace of one's
        // own as well. With `--network host` the machine's /sys is bound.
        .or_else(|errno| match errno {
            Errno::EPERM => tree::bind_read_only(Path::new("/sys"), &sys),
            _ => Err(errno.into()),
        })
        .with_context(|| format!("mount sysfs on {}", sys.display()))?;

    devices::furnish(&mount_point(new_root, "dev")?)
}

// ANCHOR: pivot
/// Makes `new_root` the root directory, and the old one unreachable.
///
/// chroot(2) would change only where this process starts to look up paths;
/// the old root would still be mounted, and a second chroot leads back to it.
/// pivot_root(2) exchanges the root *mount* of the whole mount namespace, and
/// the old one can then be unmounted: there is nothing left to escape to.
pub fn pivot(new_root: &Path) -> Result<()> {
    chdir(new_root)
        .with_context(|| format!("enter {}", new_root.display()))?;
    // With "." for both, the old root (`put_old`) ends up on top of the new
    // one, and no directory has to be made for it: pivot_root(2), NOTES.
    pivot_root(".", ".").context("pivot_root to the new root")?;
    // "." is the old root now, on top. MNT_DETACH: it is busy, and must be
    // gone for us all the same.
    umount2(".", MntFlags::MNT_DETACH).context("unmount the old root")?;
    chdir("/").context("enter the new root")
}
// ANCHOR_END: pivot

/// A directory of the new root on which something is to be mounted.
///
/// A symbolic link will not do. Until the pivot it leads to wherever it says
/// on the *machine*, and the new root would be left without a /proc.
fn mount_point(new_root: &Path, name: &str) -> Result<PathBuf> {
    let path = new_root.join(name);
    let found = path.symlink_metadata();
    let is_there = found.is_ok_and(|metadata| metadata.is_dir());
    match std::fs::create_dir(&path) {
        Err(error) if !is_there => Err(error)
            .with_context(|| {
                format!("make the mount point {}", path.display())
            })
            .advice("a root file system needs the folders proc, sys and dev"),
        _ => Ok(path),
    }
}
