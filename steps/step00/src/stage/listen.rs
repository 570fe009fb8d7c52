//! The launcher's ear at the gate, while the process is set up.

use std::os::fd::AsFd;

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;

use super::gate::{Gate, Message};
use super::watch;
use crate::child::{Ending, Process};
use crate::failure::Failure;
use crate::process;

/// Waits for a message, but not longer than the user does: an interrupt ends
/// a set-up that hangs.
pub(crate) fn hear(gate: &Gate, signals: &SignalFd) -> Result<Message> {
    let mut fds = [gate.as_fd(), signals.as_fd()]
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait at the gate"),
        }
        if fds[0].any() == Some(true) {
            return listen(gate);
        }
        let signal = signals.read_signal()?.map_or(0, |info| info.ssi_signo);
        if watch::is_for_command(signal as i32) {
            return Err(Failure {
                status: 128 + signal as u8,
                message: "interrupted while the container was set up".into(),
            }
            .into());
        }
    }
}

/// What the process has said before it ended, if that was an error: then what
/// went wrong in the launcher is only the consequence.
pub(crate) fn last_words(gate: &Gate) -> Option<Error> {
    loop {
        match listen(gate) {
            Ok(Message::Closed) => return None,
            Ok(_) => {}
            Err(error) => return error.is::<Failure>().then_some(error),
        }
    }
}

/// Waits for a message, and takes the error for one.
pub(crate) fn listen(gate: &Gate) -> Result<Message> {
    match gate.hear()? {
        Message::Failed(failure) => Err(failure.into()),
        message => Ok(message),
    }
}

/// In words, for who has waited for it to say something.
pub(crate) fn died_early(process: &Process) -> String {
    match process::wait(process) {
        Ok(Ending::Killed(libc::SIGKILL)) => {
            "the process was killed while it was set up; its memory limit \
             may be too small for that"
                .into()
        }
        Ok(ending) => format!("the process ended too early: {ending:?}"),
        Err(error) => format!("{error:#}"),
    }
}
