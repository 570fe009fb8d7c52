//! What `cargo workshop check 0` asks `fork` and `wait` themselves.
//!
//! The command line of step00 leads to a part of what they promise: here no
//! process has a blindfold or a cgroup, and none ends before its execve(2). The
//! rungs above rely on all of it. So check starts step00 with a question in
//! WORKSHOP_PROBE, and the answer is a line on stdout.

mod births;
mod ends;

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result, anyhow, bail};
use nix::unistd::getpid;

use crate::child::{Ending, Process, reap};
use crate::process;
use crate::unwritten::catch;

/// The question, if step00 was started to answer one.
pub(crate) fn question(rung: &str) -> Option<String> {
    let asked = std::env::var("WORKSHOP_PROBE").ok();
    asked.filter(|_| rung == "step00")
}

/// Prints the answer.
pub(crate) fn answer(question: &str) -> Result<Ending> {
    let answer = match question {
        "fork" => births::birth(),
        "flags" => births::blindfold(),
        "refusal" => births::refusal(libc::CLONE_THREAD, None),
        "cgroup" => births::no_cgroup(),
        "wait" => ends::ending(),
        "once" => ends::once(),
        "whose" => ends::whose(),
        "interrupted" => ends::interrupted(),
        _ => bail!("WORKSHOP_PROBE={question} is no question"),
    }?;
    writeln!(io::stdout(), "{answer}").context("print the answer")?;
    Ok(Ending::Exited(0))
}

/// A child that ends with what `live` returns. Whatever `fork` says, who is
/// who is known from the numbers.
fn child(
    flags: i32,
    cgroup: Option<BorrowedFd<'_>>,
    live: impl FnOnce() -> u8,
) -> Result<Process> {
    let parent = getpid();
    let made = catch(|| Ok(process::fork(flags as u64, cgroup)));
    if getpid() != parent {
        let status = match made {
            Ok(Ok(None)) => live(),
            _ => TOLD_OTHERWISE,
        };
        // SAFETY: _exit takes no pointer, and runs no destructor of ours.
        unsafe { libc::_exit(status.into()) }
    }
    match made? {
        Ok(Some(process)) => Ok(process),
        Ok(None) => Err(anyhow!("the old process is told None")),
        Err(errno) => Err(errno.into()),
    }
}

const TOLD_OTHERWISE: u8 = 99;

/// How the child ended, without the learner's `wait`. A child that sends
/// another signal than SIGCHLD, or none, is found with __WALL only: waitid(2).
fn end(process: &Process) -> nix::Result<u8> {
    let number = process.pid.as_raw() as libc::id_t;
    let ended = reap(libc::P_PID, number, libc::__WALL)?;
    Ok(ended.map_or(0, |(_, ending)| ending.status()))
}
