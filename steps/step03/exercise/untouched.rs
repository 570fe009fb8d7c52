//! The exercise of step03: another root directory. About 20 lines are yours.
//!
//! ```text
//! cargo run -p step03 --features exercise -- ls /     try it
//! cargo test -p step03 --features exercise            prove it
//! cargo run -p step08 --features step03/exercise      climb on it
//! cargo workshop check 3                              look at it
//! cargo workshop hint 3                               a hint
//! ```
//!
//! Four things in order: let go of the machine's mounts, make the new root a
//! mount, furnish it, and pivot. Until the pivot you are working among the
//! machine's files. Replace each `unwritten(…)` by a body of your own; the
//! solution is in `root.rs`.

#![allow(unused, reason = "until it is written")]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use step00::Advice;

use crate::{devices, tree};

const NO_TYPE: Option<&str> = None;

/// Lets go of the machine's mounts.
///
/// A new mount namespace starts with a copy of every mount, and systemd makes
/// `/` *shared*: what is mounted on the copy would be mounted on the original
/// as well (mount_namespaces(7), "Shared subtrees"). pivot_root(2) refuses to
/// work in such a place, with EINVAL.
pub fn seclude() -> Result<()> {
    // nix::mount::mount has the five arguments of mount(2): source, target,
    // file system type, flags, data. Source, type and data are each an Option.
    // This call is none that mounts anything: see "Changing the propagation
    // type of an existing mount" there, and which arguments are ignored then.
    // For those, NO_TYPE is None of the right type.
    //
    // Which of the four types lets nothing in and nothing out? Usual mistake:
    // to change `/` alone. There are other mounts below it, and a flag that
    // means them, too.
    step00::unwritten("seclude", file!())
}

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
    // mount(2), "Creating a bind mount": source and target are the same here.
    //
    // In a user namespace (step06) the kernel refuses, with EINVAL, a bind
    // that would leave out what is mounted below, and so show what lies under
    // it. Which flag takes that along? You have used it above.
    step00::unwritten("bind_onto_itself", file!())
}

/// Mounts /proc, /sys and /dev in the new root.
///
/// - /proc shows the PID namespace of the process that mounts it: after this,
///   `ps` is blind at last.
/// - /sys shows the network interfaces of the mounter's network namespace.
/// - /dev is a small tmpfs with the harmless devices only.
pub fn furnish(new_root: &Path) -> Result<()> {
    let common = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    let proc = mount_point(new_root, "proc")?;
    // This is yours: proc(5) is a file system without a disk, so its source
    // is just a name, as its type is. Mount one on `proc`, with the flags in `common`: in here
    // is nothing to be executed, and no device. The context of an error names
    // the folder.
    //
    // It must happen before the pivot: in a user namespace the kernel allows
    // a new proc only while an old one is fully visible, or one could look
    // behind what somebody has mounted over it (user_namespaces(7)).
    step00::unwritten("furnish", file!());

    // This is given. /sys goes the same way, if the kernel lets it.
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

/// Makes `new_root` the root directory, and the old one unreachable.
///
/// chroot(2) would change only where this process starts to look up paths;
/// the old root would still be mounted, and a second chroot leads back to it.
/// pivot_root(2) exchanges the root *mount* of the whole mount namespace, and
/// the old one can then be unmounted: there is nothing left to escape to.
pub fn pivot(new_root: &Path) -> Result<()> {
    // 1. Go into the new root: chdir(2).
    //
    // 2. pivot_root(2) wants a folder in the new root for the old one, but
    //    NOTES has a trick that does without. Afterwards the old root lies on
    //    top of the new one.
    //
    // 3. Unmount it: umount2(2), by the name that it has now. Usual mistake:
    //    no flags. It is busy (EBUSY), if only by this process, and must be
    //    gone for us all the same: which flag is "lazy"?
    //
    // 4. Whatever "." is by now: go to the root directory. Usual mistake: to
    //    forget this, and to keep a foot in the old root.
    //
    // Each of the four can fail, and its context says which one did.
    step00::unwritten("pivot", file!())
}

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
