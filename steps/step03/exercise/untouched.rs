//! The exercise of step03: another root directory. About 20 lines are yours.
//!
//! ```text
//! cargo workshop check 3                              look at it
//! cargo workshop hint 3 make_private                  a hint
//! cargo run -p step03 --features exercise -- ls /     try it
//! cargo test -p step03 --features exercise            prove it
//! cargo run -p step08 --features step03/exercise      climb on it
//! ```
//!
//! Four things in order: let go of the machine's mounts, make the new root a
//! mount, mount a proc in it, and pivot. Until the pivot you are working among
//! the machine's files: try it with check first, which has mounts of its own.
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `root.rs`.

#![allow(unused, reason = "until it is written")]

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use step00::Advice;

const NO_TYPE: Option<&str> = None;

/// Lets go of the machine's mounts.
///
/// A new mount namespace starts with a copy of every mount, and systemd makes
/// `/` *shared*: what is mounted on the copy would be mounted on the original
/// as well (mount_namespaces(7), "Shared subtrees"). pivot_root(2) refuses to
/// work in such a place, with EINVAL.
pub fn make_private() -> Result<()> {
    // nix::mount::mount has the five arguments of mount(2): source, target,
    // file system type, flags, data. Source, type and data are each an Option.
    // This call is none that mounts anything: see "Changing the propagation
    // type of an existing mount" there, and which arguments are ignored then.
    // For those, NO_TYPE is None of the right type.
    //
    // Which of the four types lets nothing in and nothing out? Usual mistake:
    // to change `/` alone. There are other mounts below it, and a flag that
    // means them, too.
    step00::unwritten("make_private", file!())
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

/// Mounts the kernel's own view of the processes on `proc`, a folder of the
/// new root: proc(5), a file system without a disk.
///
/// It shows the PID namespace of the process that mounts it: after this, `ps`
/// is blind at last. And it must happen before the pivot: in a user namespace
/// the kernel allows a new proc only while an old one is fully visible, or a
/// new one would show what is mounted over in the old one
/// (user_namespaces(7)).
pub fn mount_proc(proc: &Path) -> Result<()> {
    // It has no disk, so its source is just a name, as its type is. In there
    // is nothing to be executed, no program that changes its user, and no
    // device: mount(2) has a flag for each of the three. Usual mistake: to
    // mount it on "/proc", which is the machine's until the pivot; `proc` is
    // the new root's.
    step00::unwritten("mount_proc", file!())
}

/// Makes `new_root` the root directory, and the old one unreachable.
///
/// chroot(2) would change only where this process starts to look up paths;
/// the old root would still be mounted, and a second chroot leads back to it.
/// pivot_root(2) exchanges the root *mount* of the whole mount namespace, and
/// the old one can then be unmounted: no path from the root leads there.
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
    // 4. Go to the root directory. (This process went into the new root before
    //    that became "/", and so it is there already. Nobody who reads this is
    //    to have to know that.)
    //
    // Each of the four can fail, and its context says which one did.
    step00::unwritten("pivot", file!())
}
