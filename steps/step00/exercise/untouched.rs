//! The exercise of step00: fork, exec, wait. About 30 lines are yours.
//!
//! ```text
//! cargo workshop check 0                                    look at it
//! cargo workshop hint 0 fork                                a hint
//! cargo run -p step00 --features exercise -- echo hello     try it
//! cargo test -p step00 --features exercise                  prove it
//! ```
//!
//! Replace each `unwritten(…)` by a body of your own, from top to bottom. What
//! is imported here is of use. The solution is beside this file: `process.rs`.

#![allow(unused, reason = "until it is written")]

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
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }

    // That was given: without a cgroup, all fields are zero by now.
    //
    // 1. Fill in the fields of `args`: clone(2), "clone3()". Add to its flags
    //    (`|=`: the cgroup's may be there) those that the caller wants, and
    //    the one that asks for a descriptor of the new process. Where the
    //    kernel is to write that, it wants to know as a number: `&raw mut` of
    //    the variable, cast.
    //    `exit_signal` is what the parent gets when the child ends. Usual
    //    mistake: to leave it 0. execve(2) makes SIGCHLD of it; but to wait
    //    for a child that ends before that answers ECHILD.
    //
    // 2. The C library has no function for this call. `libc::syscall` makes
    //    any call: its number is `libc::SYS_clone3`, and the arguments are
    //    the address of `args` and its size. Rust cannot check what the kernel
    //    does with an address, so it is `unsafe`, and the SAFETY comment says
    //    why it is sound here: for how long must both variables live?
    //
    // 3. One call, and it returns in two processes, as fork(2) does: RETURN
    //    VALUE there has three numbers, and which of them means what?
    //    (`libc::syscall` answers -1 for every error, and `Errno::last()`
    //    knows which one it was.)
    //    From a raw descriptor to an owned one: `OwnedFd::from_raw_fd`.
    crate::unwritten("fork", file!())
}

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
pub fn execute(command: &Command) -> Result<Infallible> {
    // The kernel takes strings that end in a zero byte. `Command` has them
    // (src/command.rs), and these are given:
    let arguments = command.c_arguments()?;
    let environment = command.c_environment()?;
    // 1. The third kind is the paths at which the program may be. Try one
    //    after the other. `nix::unistd::execve` returns only if it has failed,
    //    and so its result holds nothing but an error.
    //
    // 2. What to do next depends on that error: execve(2), ERRORS. Two of them
    //    say that the file is not in this folder, or that this is no folder:
    //    look in the next one. One is to be remembered while you look on:
    //    exec(3), "certain errors are treated specially". All others mean:
    //    this is the program, and it does not work. (ENOEXEC, too: other than
    //    that page has it, no shell is to read the file here.) Usual mistake:
    //    to go on after each of them, and to report the last folder's ENOENT.
    //
    // 3. `cannot_execute` makes an error of what the kernel answered last; and
    //    if it has not been asked at all, ENOENT is the truth.
    crate::unwritten("execute", file!())
}

/// Waits until the process has ended, and takes its exit status from the
/// kernel, which keeps a dead process ("zombie") until its parent does.
///
/// # Errors
/// ECHILD when it is not a child of the caller, or was waited for already.
pub fn wait(process: &Process) -> Result<Ending> {
    // 1. `reap` (src/child.rs) is waitid(2). Of the kinds that its man page
    //    lists, take the one for a descriptor: a number may mean another
    //    process by now. The id is the raw descriptor, cast to `libc::id_t`.
    //    No flags.
    //
    // 2. Usual mistake: to take EINTR for the end. A signal came first, that
    //    is all; ask again. An answer without a child (None) does no harm
    //    either.
    //
    // 3. Any other error: `.context(…)` says what was attempted, and on which
    //    process.
    crate::unwritten("wait", file!())
}
