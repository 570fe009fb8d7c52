//! The exercise of step11: walking into a container that runs. About 15 lines
//! are yours.
//!
//! ```text
//! cargo workshop check 11                                look at it
//! cargo run -p step11 -- run -d --name web sleep 1000    something to enter
//! cargo run -p step11 --features exercise exec web ps    try it
//! cargo test -p step11 --features exercise               prove it
//! cargo workshop hint 11 open                            a hint
//! ```
//!
//! There is no such thing as a container for the kernel, only processes and
//! their namespaces. To enter it means to join the namespaces of a process
//! that is in it (setns(2)). All the rest of `exec` you have written before:
//! to be born in a group (step07), a filter (step08), fewer powers (step10).
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `enter.rs`.

#![allow(unused, reason = "until it is written")]

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use step00::Process;

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
    // 1. pidfd_open(2) has no function in libc or nix: `libc::syscall` takes
    //    its number, SYS_pidfd_open, and the arguments. That is `unsafe`; say
    //    in a SAFETY comment why it is sound (does it take a pointer?).
    //
    // 2. It returns -1 and sets errno, or a descriptor. `Errno::result` makes
    //    a Result of that. The descriptor has no owner yet: an OwnedFd closes
    //    it when it is dropped (`from_raw_fd`, unsafe again: why is it
    //    sound?).
    //
    // 3. Is it the right process? `step07::start_time(pid)` reads the field.
    //    Usual mistake: to compare first and open then. What could happen in
    //    between?
    //
    // 4. A Process has two public fields, its pid (`Pid::from_raw`) and its
    //    pidfd.
    step00::unwritten("open", file!())
}

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
    // setns(2), "fd is a PID file descriptor": since Linux 5.8 one call joins
    // several namespaces of a process. Which of its arguments says which?
    // When it fails, name the process whose namespaces they are.
    step00::unwritten("join", file!())
}
