//! The primitive of step00: fork, exec, wait.
//!
//! This is how every program on a Linux machine has been started since the
//! first one, and a container is started in the same way. The rungs above only
//! pass other flags to [`fork`] and do some work before [`execute`].

use std::convert::Infallible;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::{Pid, execve};

use crate::child::{CloneArgs, Ending, Process, reap};
use crate::command::{Command, cannot_execute};

/// Makes a second process that goes on from this very line: clone3(2).
///
/// Returns `None` in the new process and `Some` in the old one. `flags` are
/// the `CLONE_NEW*` blindfolds it is born with: 0 means none. With a `cgroup`
/// (a descriptor of its folder) it is also *born* in that group, so there is
/// no moment at which it runs without its limits.
///
/// The caller must have one thread only: the new process gets a copy of the
/// memory, but not of the other threads, and a lock that one of them held
/// would stay locked for ever.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN for most flags, ENOSPC when a limit in
/// /proc/sys/user is reached, EAGAIN when pids.max of the cgroup is.
// ANCHOR: fork
pub fn fork(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> nix::Result<Option<Process>> {
    // libc's own CLONE_INTO_CGROUP is an i32, in which this bit has no place.
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

    let mut pidfd: i32 = -1;
    // SAFETY: clone_args is plain integers, for which zero is a valid value
    // and means "not wanted".
    let mut args: CloneArgs = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }

    // SAFETY: no CLONE_VM, so the child has a copy of this memory and may go
    // on with the same stack. `args` and `pidfd` live until the call returns.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args))
    };
    match pid {
        -1 => Err(Errno::last()),
        0 => Ok(None),
        pid => Ok(Some(Process {
            pid: Pid::from_raw(pid as i32),
            // SAFETY: the call succeeded, so the kernel has put a new
            // descriptor here (close-on-exec) that nothing else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        })),
    }
}
// ANCHOR_END: fork

/// Replaces the program in this process by another: execve(2).
///
/// The process stays the same one: its number, its parent, its namespaces,
/// its cgroup, its open descriptors (but for those marked close-on-exec).
///
/// A name without a slash is looked for in each folder of the *new*
/// environment's `PATH`, as a shell does.
///
/// # Errors
/// Returns only on failure: a [`Failure`](crate::Failure) with status 127 when
/// there is no such program, 126 when there is one but the kernel will not run
/// it.
// ANCHOR: execute
pub fn execute(command: &Command) -> Result<Infallible> {
    let arguments = command.c_arguments()?;
    let environment = command.c_environment()?;
    let mut answer = Errno::ENOENT;
    for path in command.c_candidates()? {
        let Err(errno) = execve(&path, &arguments, &environment);
        match errno {
            // A folder without this program: look in the next one.
            Errno::ENOENT | Errno::ENOTDIR => {}
            // We may not execute this one, but there may be another. If not,
            // report this error.
            Errno::EACCES => answer = errno,
            // This is the program, and it does not work (execvp(3)).
            _ => {
                answer = errno;
                break;
            }
        }
    }
    Err(cannot_execute(command, answer))
}
// ANCHOR_END: execute

/// Waits until the process has ended, and takes its exit status from the
/// kernel, which keeps a dead process ("zombie") until its parent does.
///
/// # Errors
/// ECHILD when it is not a child of the caller, or was waited for already.
// ANCHOR: wait
pub fn wait(process: &Process) -> Result<Ending> {
    let pidfd = process.pidfd.as_raw_fd() as libc::id_t;
    loop {
        match reap(libc::P_PIDFD, pidfd, 0) {
            Ok(Some((_, ending))) => return Ok(ending),
            Ok(None) | Err(Errno::EINTR) => continue,
            Err(errno) => {
                return Err(errno)
                    .context(format!("wait for process {}", process.pid));
            }
        }
    }
}
// ANCHOR_END: wait
