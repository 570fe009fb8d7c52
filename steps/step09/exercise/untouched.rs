//! The exercise of step09: the last three blindfolds. About 20 lines are
//! yours.
//!
//! ```text
//! cargo workshop check 9                                      look at it
//! cargo run -p step09 --features exercise -- ls /dev/mqueue   try it
//! cargo test -p step09 --features exercise                    prove it
//! cargo run -p step10 --features step09/exercise              climb on it
//! cargo workshop hint 9 mount_queues                          a hint
//! ```
//!
//! The IPC namespace itself is only a flag, CLONE_NEWIPC, and the launcher has
//! set it already. It hides the System V objects, which have numbers and no
//! paths (ipc_namespaces(7)). What takes more than a flag is yours. Replace
//! each `unwritten(…)` by a body of your own; the solution is in `ipc.rs`.

#![allow(unused, reason = "until it is written")]

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use step00::Advice;

/// Inside: shows the message queues of this process's IPC namespace below
/// `/dev/mqueue` of the new root (mq_overview(7)).
///
/// Like proc, the filesystem belongs to the namespace of the process that
/// mounts it: without this mount the queues would be there, but `ls` would not
/// see them.
///
/// # Errors
/// EPERM when root here does not own the IPC namespace (`--ipc host`).
pub fn mount_queues(new_root: &Path) -> Result<()> {
    // 1. A mount point: /dev of the new root is a tmpfs, and still lacks the
    //    folder. Usual mistake: to join an absolute path. What is
    //    `Path::new("/new").join("/dev/mqueue")`? Try it.
    //
    // 2. The filesystem has the type "mqueue": mq_overview(7), "Mounting the
    //    message queue filesystem". There is no device that it comes from; the
    //    type's own name stands in its place, as you know it from proc.
    //
    // 3. Nothing in there is a program, a device or set-user-ID. mount(2) has
    //    a flag for each of the three.
    step00::unwritten("mount_queues", file!())
}

/// Inside: makes this process's cgroup the root of all that it sees of them.
///
/// The root of the new namespace is the group in which its *maker* is at that
/// moment (cgroup_namespaces(7)). With a flag of clone3(2) that would be the
/// launcher's, so the process does it itself, now that it is in its own.
/// /proc/self/cgroup says `0::/` afterwards.
pub fn hide_groups() -> Result<()> {
    // unshare(2) moves the caller itself into a new namespace, and nix has it
    // as `unshare`. Which flag? Look it up in cgroup_namespaces(7). Usual
    // mistake: to add that flag to the stage instead. Try it in a machine with
    // cgroup v2, and look at /proc/self/cgroup: why does it begin with `/..`?
    step00::unwritten("hide_groups", file!())
}

/// Inside: lets the machine's uptime, CLOCK_BOOTTIME, differ by `seconds`.
///
/// The offset of a time namespace can be written until the first process
/// enters it, and unshare(2) does not enter: it is for later children. So
/// there is a moment to write it, and setns(2) to go in after that
/// (time_namespaces(7)).
///
/// `date` stays as it is. CLOCK_REALTIME has no offset: it is what the files,
/// certificates and other machines all go by, and there is only one.
///
/// # Errors
/// EINVAL from unshare(2) when the kernel is built without CONFIG_TIME_NS,
/// ERANGE when it would let the machine have been started in the future.
pub fn shift_boottime(seconds: i64) -> Result<()> {
    // nix has no name for it: it was the last flag that clone(2) had room for.
    let new_time = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);

    // 1. Make the namespace. This is the one kind that unshare(2) makes and
    //    does not enter.
    //
    // 2. Write the offset: time_namespaces(7), "/proc/pid/timens_offsets",
    //    shows a line of that file: a clock, seconds, nanoseconds. Which clock
    //    is the uptime? An offset that the kernel will not have is the
    //    learner's mistake and not yours: `.advice("…")` says what to do.
    //
    // 3. Enter it. setns(2) wants an open file that stands for the namespace.
    //    /proc/self/ns has two for time: one is that in which this process
    //    *is*, and the other? Usual mistake: to take the first one. That is
    //    the machine's, and its root's alone: EPERM. Another: to leave out
    //    this step. Newer kernels enter at execve(2), and nothing shows.
    step00::unwritten("shift_boottime", file!())
}
