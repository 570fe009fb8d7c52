//! The primitive of step09: the last three blindfolds.
//!
//! The IPC namespace itself is only a flag, CLONE_NEWIPC: it hides the
//! System V objects, which have numbers and no paths, so that no mount
//! namespace could (ipc_namespaces(7)). What takes more than a flag is here.
//!
//! - POSIX message queues are files, of a filesystem that has to be mounted.
//! - The cgroup namespace can only be made by a process that is in its group.
//! - The time namespace can only be set by a process that is not yet in it.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use step00::Advice;

// ANCHOR: mount_queues
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
    let path = new_root.join("dev/mqueue");
    fs::create_dir(&path)
        .with_context(|| format!("make {}", path.display()))?;
    let hard = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("mqueue"), &path, Some("mqueue"), hard, None::<&str>)
        .with_context(|| format!("mount mqueue on {}", path.display()))
}
// ANCHOR_END: mount_queues

// ANCHOR: hide_groups
/// Inside: makes this process's cgroup the root of all that it sees of them.
///
/// The root of the new namespace is the group in which its *maker* is at that
/// moment (cgroup_namespaces(7)). With a flag of clone3(2) that would be the
/// launcher's, so the process does it itself, now that it is in its own.
/// /proc/self/cgroup says `0::/` afterwards.
pub fn hide_groups() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWCGROUP).context("make a cgroup namespace")
}
// ANCHOR_END: hide_groups

// ANCHOR: shift_boottime
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
    unshare(new_time)
        .context("make a time namespace")
        .advice("this needs Linux 5.6, built with CONFIG_TIME_NS")?;
    fs::write("/proc/self/timens_offsets", format!("boottime {seconds} 0"))
        .with_context(|| format!("shift the uptime by {seconds} seconds"))
        .advice(
            "the uptime must not become negative; see `cat /proc/uptime`",
        )?;
    let made = File::open("/proc/self/ns/time_for_children")
        .context("open the new time namespace")?;
    setns(made, new_time).context("enter the new time namespace")
}
// ANCHOR_END: shift_boottime
