//! Streams that the launcher carries: the command has a pipe in place of the
//! caller's stdin, stdout or stderr.
//!
//! Which of them, if any, and why, is for a rung to say ([`Hooks::streams`]).
//! The caller's file is shared with others, in `(echo a; step06 echo b) >f`,
//! and they go on where the command stops. So the launcher writes with the
//! caller's own descriptor, has written all before it ends, and gives back
//! what it has read and nobody has taken.
//!
//! [`Hooks::streams`]: super::Hooks

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Whence, lseek64, read, write};

use super::signals::is_for_command;
use crate::child::Ending;
use crate::failure::WORKSHOP_FAILED;
use crate::narrator;

nix::ioctl_read_bad!(count_unread, libc::FIONREAD, libc::c_int);

/// What is carried at a time: a pipe for which poll(2) says POLLOUT takes so
/// many bytes without a wait (pipe(7), PIPE_BUF).
const PORTION: usize = libc::PIPE_BUF;

/// All that one launcher carries. The default is none.
#[derive(Debug, Default)]
pub struct Streams {
    open: Vec<Stream>,
    /// The end of the command's stdin that it reads from itself.
    unread: Option<OwnedFd>,
    /// The first thing that went wrong.
    lost: Option<String>,
}

/// One of them, from here to there.
#[derive(Debug)]
struct Stream {
    name: &'static str,
    is_input: bool,
    from: OwnedFd,
    to: OwnedFd,
    /// Read, but not yet written.
    bytes: Vec<u8>,
}

impl Streams {
    /// Carries what the command writes into `pipe` to one of the launcher's
    /// own descriptors, such as stdout.
    ///
    /// # Errors
    /// EMFILE.
    pub fn carry_out(
        &mut self,
        name: &'static str,
        pipe: OwnedFd,
        to: impl AsFd,
    ) -> Result<()> {
        let to = to.as_fd().try_clone_to_owned();
        let to = to.with_context(|| format!("take hold of {name}"))?;
        self.add(name, false, pipe, to)
    }

    /// Carries the launcher's stdin into `pipe`, whose other end is `unread`.
    ///
    /// # Errors
    /// EMFILE.
    pub fn carry_in(&mut self, pipe: OwnedFd, unread: OwnedFd) -> Result<()> {
        let from = io::stdin().as_fd().try_clone_to_owned();
        let from = from.context("take hold of stdin")?;
        // The launcher has other things to do than to wait for the command to
        // read. The command's own end is another open file (F_SETFL).
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .context("make a pipe not wait")?;
        self.unread = Some(unread);
        self.add("stdin", true, from, pipe)
    }

    fn add(
        &mut self,
        name: &'static str,
        is_input: bool,
        from: OwnedFd,
        to: OwnedFd,
    ) -> Result<()> {
        // A file that may not grow (RLIMIT_FSIZE) is to be an error like any
        // other, and not the end of the launcher.
        SigSet::from(Signal::SIGXFSZ).thread_block()?;
        let bytes = Vec::with_capacity(PORTION);
        self.open.push(Stream { name, is_input, from, to, bytes });
        Ok(())
    }

    /// What to wait for, one for each that is open.
    pub(super) fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.open.iter().map(Stream::watched)
    }

    /// Carries what can be carried now; `is_ready` is about what was watched,
    /// by its place.
    pub(super) fn carry(&mut self, is_ready: impl Fn(usize) -> bool) {
        let mut at = 0;
        let lost = &mut self.lost;
        // What is dropped is closed. So a command whose reader is gone, or
        // whose disk is full, gets SIGPIPE for its next word.
        self.open.retain_mut(|stream| {
            at += 1;
            !is_ready(at - 1) || stream.carry_some(lost)
        });
    }

    /// The command has ended so: carries its last words, and gives back what
    /// it has not read. What it wrote and is lost is no success.
    pub(super) fn end(
        &mut self,
        ending: Ending,
        signals: &SignalFd,
    ) -> Ending {
        let (input, output): (Vec<_>, Vec<_>) =
            self.open.drain(..).partition(|stream| stream.is_input);
        for mut stream in output {
            while stream.has_more() {
                if !stream.has_room(signals) {
                    let text =
                        format!("write to {}: interrupted", stream.name);
                    self.lost.get_or_insert(text);
                    break;
                }
                if !stream.carry_some(&mut self.lost) {
                    break;
                }
            }
        }
        if let Some(unread) = self.unread.take() {
            let held: usize = input.iter().map(|it| it.bytes.len()).sum();
            give_back(held, &unread);
        }
        let Some(lost) = self.lost.take() else { return ending };
        narrator::remark(&lost);
        match ending {
            Ending::Exited(0) => Ending::Exited(WORKSHOP_FAILED),
            ending => ending,
        }
    }
}

impl Stream {
    fn watched(&self) -> PollFd<'_> {
        match self.bytes.is_empty() {
            true => PollFd::new(self.from.as_fd(), PollFlags::POLLIN),
            false => PollFd::new(self.to.as_fd(), PollFlags::POLLOUT),
        }
    }

    /// Reads or writes once. Is there more to come?
    fn carry_some(&mut self, lost: &mut Option<String>) -> bool {
        let (verb, answer) = match self.bytes.is_empty() {
            true => ("read", self.fetch()),
            false => ("write to", self.deliver()),
        };
        match answer {
            Ok(is_open) => is_open,
            Err(Errno::EINTR | Errno::EAGAIN) => true,
            // Nobody reads it any more, which is no failure: `… | head -1`.
            Err(Errno::EPIPE) => false,
            Err(errno) => {
                let text = format!("{verb} {}: {errno}", self.name);
                lost.get_or_insert(text);
                false
            }
        }
    }

    fn fetch(&mut self) -> nix::Result<bool> {
        let mut buffer = [0; PORTION];
        let length = read(&self.from, &mut buffer)?;
        self.bytes.extend_from_slice(&buffer[..length]);
        Ok(length > 0)
    }

    fn deliver(&mut self) -> nix::Result<bool> {
        let taken = write(&self.to, &self.bytes)?;
        self.bytes.drain(..taken);
        Ok(true)
    }

    /// Is there anything left that was written before now?
    fn has_more(&self) -> bool {
        let mut end = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN)];
        !self.bytes.is_empty() || poll(&mut end, PollTimeout::ZERO) == Ok(1)
    }

    /// Waits until it can be carried on. An interrupt ends the wait: the
    /// reader at the other end may never read.
    fn has_room(&self, signals: &SignalFd) -> bool {
        loop {
            let other = PollFd::new(signals.as_fd(), PollFlags::POLLIN);
            let mut fds = [self.watched(), other];
            let _ = poll(&mut fds, PollTimeout::NONE);
            if fds[0].any() == Some(true) {
                return true;
            }
            let signal = signals.read_signal().ok().flatten();
            if signal.is_some_and(|it| is_for_command(it.ssi_signo as i32)) {
                return false;
            }
        }
    }
}

/// Sets the offset of stdin back to where the command has stopped reading, for
/// whoever reads on. A pipe with a name cannot go back.
fn give_back(held: usize, unread: &OwnedFd) {
    let mut in_pipe = 0;
    // SAFETY: FIONREAD writes one int, and this is one.
    let known = unsafe { count_unread(unread.as_raw_fd(), &mut in_pipe) };
    let count = held as i64 + known.map_or(0, |_| i64::from(in_pipe));
    let _ = lseek64(io::stdin(), -count, Whence::SeekCur);
}
