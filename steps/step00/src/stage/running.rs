//! From the moment at which the command runs to its end: the launcher waits,
//! forwards the signals that it gets, and relays the terminal and what else it
//! carries.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::{SignalFd, siginfo};
use nix::unistd::{getpgid, getpgrp};

use super::hooks::{Dropped, Drops, HandedOver};
use super::relay::Relay;
use super::signals::is_for_command;
use super::streams::Streams;
use crate::child::{self, Ending, Process, SI_KERNEL};
use crate::command::Command;
use crate::{narrator, process};

/// A command that runs, and what its launcher needs to look after it. Dropping
/// this before the end kills the command.
pub struct Running {
    /// The process that executed the command.
    pub process: Process,
    /// What it has executed.
    pub command: Command,
    signals: SignalFd,
    relay: Option<Relay>,
    streams: Streams,
    drops: Drops,
    handed_over: HandedOver,
    /// How many interrupts the kernel has dropped.
    dropped: u32,
    is_over: bool,
}

/// What is left when the command has ended.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    handed_over: HandedOver,
}

impl Outcome {
    /// The descriptor that `inside` handed over under this name, once.
    ///
    /// # Errors
    /// When it has handed over none.
    pub fn take(&mut self, name: &str) -> Result<OwnedFd> {
        let descriptor = self.handed_over.remove(name);
        descriptor.with_context(|| format!("find the descriptor {name:?}"))
    }
}

impl Running {
    pub(super) fn new(
        process: Process,
        command: Command,
        signals: SignalFd,
        (relay, streams): (Option<Relay>, Streams),
        drops: Drops,
        handed_over: HandedOver,
    ) -> Running {
        let (dropped, is_over) = (0, false);
        Running {
            process,
            command,
            signals,
            relay,
            streams,
            drops,
            handed_over,
            dropped,
            is_over,
        }
    }

    /// Waits until the process has ended. By then the terminal has been given
    /// back, and what the launcher carries has arrived.
    ///
    /// # Errors
    /// When the kernel does not say how it ended.
    pub fn until_end(mut self) -> Result<Outcome> {
        let ending = self.wait()?;
        self.is_over = true;
        self.relay = None;
        let ending = self.streams.end(ending, &self.signals);
        let handed_over = std::mem::take(&mut self.handed_over);
        Ok(Outcome { ending, handed_over })
    }

    /// Leaves the process to whoever is its parent next: from here on it is
    /// not the launcher's. (The process must not have asked to die with it.)
    pub fn let_go(mut self) {
        self.is_over = true;
    }

    fn wait(&mut self) -> Result<Ending> {
        loop {
            let ready = self.wait_for_anything()?;
            if ready.screen {
                self.show();
            }
            if ready.ended {
                while self.show() {}
                return process::wait(&self.process);
            }
            if ready.signal {
                while let Ok(Some(signal)) = self.signals.read_signal() {
                    self.on_signal(&signal);
                }
            }
            if ready.keyboard {
                self.on_keyboard();
            }
            self.relay.iter_mut().for_each(Relay::deliver);
            self.streams.carry(|at| ready.streams[at]);
        }
    }

    fn wait_for_anything(&self) -> Result<Ready> {
        let watched = PollFlags::POLLIN;
        let mut fds = vec![
            PollFd::new(self.process.pidfd.as_fd(), watched),
            PollFd::new(self.signals.as_fd(), watched),
        ];
        fds.extend(self.relay.iter().flat_map(Relay::watched));
        let before_streams = fds.len();
        fds.extend(self.streams.watched());
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait for the command"),
        }
        let is = |at: usize, flags: PollFlags| {
            let events = fds.get(at).and_then(PollFd::revents);
            events.is_some_and(|events| events.intersects(flags))
        };
        let has_relay = self.relay.is_some();
        let over = PollFlags::POLLHUP | PollFlags::POLLERR;
        Ok(Ready {
            ended: is(0, watched),
            signal: is(1, watched),
            screen: has_relay && is(2, watched),
            keyboard: has_relay && is(3, watched | over),
            streams: fds[before_streams..]
                .iter()
                .map(|fd| fd.any() == Some(true))
                .collect(),
        })
    }

    /// Shows what the command has written. Was there anything?
    fn show(&mut self) -> bool {
        self.relay.as_mut().is_some_and(Relay::show)
    }

    fn on_signal(&mut self, info: &siginfo) {
        let number = info.ssi_signo as i32;
        if !is_for_command(number) {
            return self.relay.iter().for_each(|relay| match number {
                libc::SIGTSTP => relay.terminal.stop(),
                libc::SIGCONT => relay.terminal.go_on(),
                _ => relay.terminal.resize(),
            });
        }
        // Asked before it is sent: a handler may be gone once it has run.
        let dropped = (self.drops)(&self.process, number);
        if !self.has_had(info) {
            self.send(number);
        }
        if let Some(dropped) = dropped {
            self.explain(number, &dropped);
        }
    }

    /// A key on a shared terminal (si_code SI_KERNEL) is a signal to the whole
    /// foreground group, and so to the command, unless that has left it. Only
    /// the hang-up is sent to one process, the leader of the session.
    fn has_had(&self, info: &siginfo) -> bool {
        self.relay.is_none()
            && info.ssi_code == SI_KERNEL
            && info.ssi_signo != libc::SIGHUP as u32
            && getpgid(Some(self.process.pid)) == Ok(getpgrp())
    }

    fn on_keyboard(&mut self) {
        let Some(relay) = &mut self.relay else { return };
        let Some(typed) = relay.read_keys() else {
            // The terminal is gone (its window was closed), and with it the
            // only way to see or end this command.
            return self.send(libc::SIGKILL);
        };
        let pid = self.process.pid;
        let is_interrupt = |byte: &&u8| relay.terminal.interrupts(**byte, pid);
        for _ in 0..typed.iter().filter(is_interrupt).count() {
            if let Some(dropped) = (self.drops)(&self.process, libc::SIGINT) {
                self.explain(libc::SIGINT, &dropped);
            }
        }
    }

    /// Says why nothing has happened. The second interrupt that is dropped
    /// becomes the signal that nothing can drop.
    fn explain(&mut self, signal: i32, dropped: &Dropped) {
        let is_interrupt = signal == libc::SIGINT;
        self.dropped += u32::from(is_interrupt);
        if self.dropped >= 2 {
            return self.send(libc::SIGKILL);
        }
        let name =
            Signal::try_from(signal).map_or("the signal", |s| s.as_str());
        let more = match is_interrupt {
            true => "Once more kills it.",
            false => dropped.remedy,
        };
        narrator::remark(&format!("{name} dropped: {}. {more}", dropped.why));
    }

    fn send(&self, signal: i32) {
        // ESRCH: it has ended in the meantime, and poll will say so.
        let _ = child::signal(&self.process, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.process.kill();
        }
    }
}

/// Which of the descriptors have something for us.
struct Ready {
    ended: bool,
    signal: bool,
    screen: bool,
    keyboard: bool,
    streams: Vec<bool>,
}
