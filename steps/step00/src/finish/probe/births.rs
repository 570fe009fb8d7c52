//! What `fork` is asked.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::geteuid;

use super::{TOLD_OTHERWISE, child, end};
use crate::child::reap;

/// Who is who, and what its parent gets.
pub(super) fn birth() -> Result<String> {
    // A child that sends another signal than SIGCHLD is to kill nobody. (A
    // stack that overflows is told by SIGSEGV.)
    let mut signals = SigSet::all();
    signals.remove(Signal::SIGSEGV);
    signals.thread_block().context("block signals")?;
    let process = match child(0, None, || 7) {
        Ok(process) => process,
        Err(error) => return answered(error),
    };
    let number = process.pid.as_raw();
    let info = format!("/proc/self/fdinfo/{}", process.pidfd.as_raw_fd());
    let info = fs::read_to_string(info).unwrap_or_default();
    let is_its = info.lines().any(|line| line == format!("Pid:\t{number}"));
    let peek = libc::WNOWAIT;
    let found = reap(libc::P_PID, number as libc::id_t, peek);
    let status = end(&process);
    Ok(match (status, found) {
        (Err(_), _) => "the number is not the child's".into(),
        (Ok(TOLD_OTHERWISE), _) => "the new process is not told None".into(),
        (_, Err(_)) => "its end is not told by SIGCHLD".into(),
        _ if !is_its => "the descriptor is not the child's".into(),
        _ => "a child, which its parent knows".into(),
    })
}

/// An error is an answer; what is not written yet is none.
fn answered(error: anyhow::Error) -> Result<String> {
    match error.is::<crate::Failure>() || error.to_string().contains("a bug") {
        true => Err(error),
        false => Ok(format!("{error:#}")),
    }
}

/// One that everybody may have: only root may be blind to the hostname.
pub(super) fn blindfold() -> Result<String> {
    let (flag, kind) = match geteuid().is_root() {
        true => (libc::CLONE_NEWUTS, "uts"),
        false => (libc::CLONE_NEWUSER, "user"),
    };
    let namespace = || fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let own = namespace();
    let process = match child(flag, None, || (namespace() != own).into()) {
        Ok(process) => process,
        // The kernel may refuse it: then it was asked.
        Err(error) if error.is::<Errno>() => return Ok("apart".into()),
        Err(error) => return answered(error),
    };
    match end(&process)? {
        1 => Ok("apart".into()),
        _ => Ok("in the old one".into()),
    }
}

/// What the kernel cannot do for anybody: a thread with memory of its own, or
/// a birth in a folder that is no cgroup.
pub(super) fn refusal(
    flags: i32,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<String> {
    match child(flags, cgroup, || 0) {
        Err(error) => answered(error),
        Ok(process) if process.pid.as_raw() > 0 => {
            end(&process)?;
            Ok("a process is made".into())
        }
        Ok(process) => Ok(format!("process {}", process.pid)),
    }
}

/// A folder that is none of cgroups: who forgets the flag for it gets a child.
pub(super) fn no_cgroup() -> Result<String> {
    let folder = File::open("/").context("open a folder")?;
    refusal(0, Some(folder.as_fd()))
}
