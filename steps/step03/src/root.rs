//! The primitive of step03: another root directory.
//!
//! Four things in order: let go of the machine's mounts, make the new root a
//! mount, mount a proc in it, and pivot. What else a root needs, /sys and /dev,
//! is in furnish.rs.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use step00::Advice;

const NO_TYPE: Option<&str> = None;

// ANCHOR: make_private
/// Lets go of the machine's mounts.
///
/// A new mount namespace starts with a copy of every mount, and systemd makes
/// `/` *shared*: what is mounted on the copy would be mounted on the original
/// as well (mount_namespaces(7), "Shared subtrees"). pivot_root(2) refuses to
/// work in such a place, with EINVAL.
pub fn make_private() -> Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NO_TYPE, "/", NO_TYPE, flags, NO_TYPE)
        .context("make every mount private")
}
// ANCHOR_END: make_private

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

// ANCHOR: proc
/// Mounts the kernel's own view of the processes on `proc`, a folder of the
/// new root: proc(5), a file system without a disk.
///
/// It shows the PID namespace of the process that mounts it: after this, `ps`
/// is blind at last. And it must happen before the pivot: in a user namespace
/// the kernel allows a new proc only while an old one is fully visible, or a
/// new one would show what is mounted over in the old one
/// (user_namespaces(7)).
pub fn mount_proc(proc: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    mount(Some("proc"), proc, Some("proc"), flags, NO_TYPE)
        .context("mount proc")
}
// ANCHOR_END: proc

// ANCHOR: pivot
/// Makes `new_root` the root directory, and the old one unreachable.
///
/// chroot(2) would change only where this process starts to look up paths;
/// the old root would still be mounted, and a second chroot leads back to it.
/// pivot_root(2) exchanges the root *mount* of the whole mount namespace, and
/// the old one can then be unmounted: no path from the root leads there.
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
