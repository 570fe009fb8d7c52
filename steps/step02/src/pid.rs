//! The primitive of step02: being PID 1.
//!
//! A process that was cloned with CLONE_NEWPID is number 1 of a new PID
//! namespace (pid_namespaces(7)), and the kernel treats it as it treats the
//! machine's init:
//!
//! - a signal that it has no handler for is *dropped*, as if it were ignored.
//!   From outside, only SIGKILL and SIGSTOP get through;
//! - a process whose parent has ended becomes its child, and stays a zombie
//!   until PID 1 waits for it;
//! - when it ends, the kernel kills all that is left in the namespace.
//!
//! `sleep` or a web server knows nothing of all this. So a small init can be
//! PID 1 in its place, with the command as its child.

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use step00::child::{self, close_all_but};
use step00::process;
use step00::{Command, Ending};

use crate::init::look_after;

/// Executes the command as a child and looks after it as PID 1 should.
///
/// Ends with the command's own status, or 128+N if signal N killed it.
///
/// # Errors
/// EAGAIN when there may be no second process (pids.max, RLIMIT_NPROC). An
/// error of execve(2) is reported by the child.
// ANCHOR: init
pub fn run_as_init(command: &Command) -> Result<Infallible> {
    // A blocked signal is not dropped: it stays pending until it is read.
    let all = SigSet::all();
    all.thread_block().context("block signals in init")?;
    // Close-on-exec: it is init's, and the command is not to inherit it.
    let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC)
        .context("open init's signalfd")?;
    // Init's memory is a copy of the launcher's. Processes inside could read
    // it in /proc/1; of an undumpable process only the machine's root can
    // (PR_SET_DUMPABLE(2const)). For the command, execve(2) undoes this.
    prctl::set_dumpable(false).context("hide init's memory")?;
    let child = process::fork(0, None).or_else(child::fork_by_clone);
    match child.context("start the command under init")? {
        None => {
            let none = SigSet::empty();
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&none), None)?;
            process::execute(command)
        }
        Some(child) => {
            let command = child.pid;
            // Its pidfd is of no use here: PID 1 waits for any child.
            drop(child);
            // An init that kept the gate open would hide from the launcher
            // that the command has been executed.
            close_all_but(&[Some(signals.as_fd().as_raw_fd())])
                .context("close what the launcher has open")?;
            let ending = look_after(command, &signals, reap)?;
            std::process::exit(ending.status().into())
        }
    }
}
// ANCHOR_END: init

/// Takes the status of each child that has ended, the command's own and those
/// of orphans alike. One SIGCHLD may stand for several.
// ANCHOR: reap
fn reap(command: Pid) -> Result<Option<Ending>> {
    let mut ending = None;
    loop {
        match child::reap(libc::P_ALL, 0, libc::WNOHANG) {
            Ok(Some((pid, its))) if pid == command => ending = Some(its),
            Ok(Some(_)) | Err(Errno::EINTR) => {}
            Ok(None) | Err(Errno::ECHILD) => return Ok(ending),
            Err(errno) => return Err(errno).context("reap a child"),
        }
    }
}
// ANCHOR_END: reap
