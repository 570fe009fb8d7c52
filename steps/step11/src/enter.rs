//! The primitive of step11: walking into a container that runs.
//!
//! The kernel knows no containers, only processes and their namespaces. To
//! enter it means to join the namespaces of a process that is in it, one by
//! one (setns(2)), to be born in its group (step07), and to take off the same
//! powers (step08, step10). Then there are two processes in the same
//! container, and neither can tell which was there first.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use step00::Process;

// ANCHOR: open
/// Takes hold of process `pid`, if that is still the one that was started at
/// `start` (clock ticks since boot, proc_pid_stat(5) field 22).
///
/// A number alone is not enough: it is used again when its process has ended.
/// pidfd_open(2) takes hold of *some* process with that number, and what can
/// be read about the number after that is about the same one, or about none.
///
/// # Errors
/// ESRCH when there is no such process any more.
pub fn open(pid: i32, start: u64) -> Result<Process> {
    // SAFETY: pidfd_open takes two numbers.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = Errno::result(answer)
        .with_context(|| format!("take hold of process {pid}"))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
    match step07::start_time(pid as u32) == Some(start) {
        true => Ok(Process { pid: Pid::from_raw(pid), pidfd }),
        false => bail!("process {pid} is another one by now"),
    }
}
// ANCHOR_END: open

// ANCHOR: join
/// Moves this process into those namespaces of `target` that `namespaces` names,
/// all in one call.
///
/// One by one, the order would matter: a process that has joined the user
/// namespace may join the others, but has no powers outside any more. The PID
/// namespace is the exception to all of this. A process never changes its
/// number, so it is only for children that are made later.
///
/// # Errors
/// EPERM when root here does not own a namespace; EINVAL for a time or user
/// namespace while there is more than one thread.
pub fn join(target: &Process, namespaces: CloneFlags) -> Result<()> {
    setns(target.pidfd.as_fd(), namespaces)
        .with_context(|| format!("join the namespaces of {}", target.pid))
}
// ANCHOR_END: join
