//! What `wait` is asked.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction,
};
use nix::unistd::{Pid, getpid};

use super::child;
use crate::child::{Ending, Process, reap};
use crate::proc::Proc;
use crate::process::wait;

/// How a child has ended, and whether it was waited for.
pub(super) fn ending() -> Result<String> {
    let process = child(0, None, || 7)?;
    let answer = told(wait(&process));
    let number = process.pid.as_raw() as libc::id_t;
    Ok(match reap(libc::P_PID, number, libc::WNOHANG) {
        Ok(_) => answer + ", and the child is still there",
        Err(_) => answer,
    })
}

fn told(answer: Result<Ending>) -> String {
    match answer {
        Ok(Ending::Exited(status)) => format!("status {status}"),
        Ok(Ending::Killed(signal)) => format!("signal {signal}"),
        Err(error) => format!("{error:#}"),
    }
}

/// The second time there is nothing to wait for.
pub(super) fn once() -> Result<String> {
    let process = child(0, None, || 7)?;
    wait(&process)?;
    let Err(error) = wait(&process) else {
        return Ok("no error".into());
    };
    let text = format!("{error:#}");
    let has = |what: &str| text.contains(what);
    Ok(match has(&process.pid.to_string()) {
        true if has("ECHILD") || has("No child") => {
            "ECHILD, with the process's number".into()
        }
        _ => text,
    })
}

/// The number is one child's and the descriptor another's: as if the number
/// meant another process by now.
pub(super) fn whose() -> Result<String> {
    let (one, two) = (child(0, None, || 3)?, child(0, None, || 4)?);
    let number = one.pid.as_raw() as libc::id_t;
    reap(libc::P_PID, number, libc::WNOWAIT)?;
    Ok(told(wait(&Process { pid: one.pid, pidfd: two.pidfd })))
}

/// The child sends a signal whenever its parent sleeps, in waitid(2).
pub(super) fn interrupted() -> Result<String> {
    extern "C" fn nothing(_: i32) {}
    let handler = SigHandler::Handler(nothing);
    // Without SA_RESTART: the call that is interrupted answers EINTR.
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action)? };
    let parent = getpid();
    let send = || kill(parent, Signal::SIGUSR1).is_ok();
    let process =
        child(0, None, || match (0..3).all(|_| sleeps(parent) && send()) {
            true => 7,
            false => NEVER_SLEEPS,
        })?;
    let answer = told(wait(&process));
    process.kill();
    Ok(answer)
}

const NEVER_SLEEPS: u8 = 9;

/// Asleep for a while: waitid(2) is that for a moment even with WNOHANG.
fn sleeps(process: Pid) -> bool {
    let mut in_a_row = 0;
    (0..3000).any(|_| {
        let state = Proc::of(process).status("State").unwrap_or_default();
        in_a_row = if state.starts_with('S') { in_a_row + 1 } else { 0 };
        sleep(Duration::from_millis(1));
        in_a_row == 20
    })
}
