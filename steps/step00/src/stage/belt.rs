//! The seat belt of the exercises: what a learner writes may be wrong, and the
//! machine is to be as it was all the same.
//!
//! It is worn by what is built with an exercise (`--features exercise`, of
//! this rung or of one below), and by nothing else: the solutions need none.
//! What it cannot see, `cargo workshop check` contains.

use anyhow::{Context, Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use crate::child::Process;
use crate::failure::Advice;
use crate::proc::Proc;

/// Does this program wear it?
pub(crate) const IS_WORN: bool = cfg!(feature = "belt");

/// The flags of clone3(2), and the namespaces that /proc/PID/ns shows.
const KINDS: [(i32, &str); 7] = [
    (libc::CLONE_NEWUTS, "uts"),
    (libc::CLONE_NEWPID, "pid"),
    (libc::CLONE_NEWNS, "mnt"),
    (libc::CLONE_NEWNET, "net"),
    (libc::CLONE_NEWUSER, "user"),
    (libc::CLONE_NEWIPC, "ipc"),
    (libc::CLONE_NEWCGROUP, "cgroup"),
];

/// Before a process with mounts of its own is made: the launcher leaves the
/// machine's. What the process mounts or unmounts reaches the launcher's at
/// most, where a mount is still shared (mount_namespaces(7)), and these end
/// with it. Among themselves they are shared, as systemd makes the machine's:
/// a mistake shows here as it would there.
///
/// A user other than root may not do this, and need not: from their mounts
/// nothing gets to the machine's.
///
/// # Errors
/// EPERM where root may not make namespaces.
pub(super) fn fasten(flags: u64) -> Result<()> {
    let mounts = flags & libc::CLONE_NEWNS as u64 != 0;
    if !IS_WORN || !mounts || !geteuid().is_root() {
        return Ok(());
    }
    let none = None::<&str>;
    let change = |to| mount(none, "/", none, MsFlags::MS_REC | to, none);
    match unshare(CloneFlags::CLONE_NEWNS) {
        // Then the process is refused all namespaces as well.
        Err(nix::Error::EPERM) => Ok(()),
        made => made
            .and_then(|()| change(MsFlags::MS_PRIVATE))
            .and_then(|()| change(MsFlags::MS_SHARED))
            .context("leave the machine's mounts, for an exercise"),
    }
}

/// Before anything is done to the process or by it: is it blind to all that
/// it is to be blind to? A `fork` that loses its flags makes a process in the
/// launcher's own namespaces, and whatever is meant for a container (another
/// hostname, another root) would change the machine. (A user other than root
/// could not do that.)
pub(super) fn look_at(process: &Process, flags: u64) -> Result<()> {
    if !IS_WORN || !geteuid().is_root() {
        return Ok(());
    }
    let asked = KINDS.iter().filter(|(flag, _)| flags & *flag as u64 != 0);
    for (_, kind) in asked {
        let is_apart = Proc::of(process.pid).is_apart(kind);
        let is_apart = is_apart.with_context(|| {
            format!("look at process {}, which fork has returned", process.pid)
        })?;
        if !is_apart {
            let error = anyhow!(
                "`fork` has made a process in the launcher's own {kind} \
                 namespace: it was ended before it could change the machine"
            );
            return Err(error).advice(
                "have what `flags` asks for in args.flags (step00, `fork`)",
            );
        }
    }
    Ok(())
}
