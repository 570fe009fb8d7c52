//! What the launcher does while the command runs: it waits, hands on the
//! signals that it gets, and carries bytes between the two terminals.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::unistd::{getpgid, getpgrp};

use super::terminal::Terminal;
use crate::child::{self, Ending, Process, SI_KERNEL};
use crate::proc::{Proc, field};
use crate::{narrator, process};

/// The signals that ask a program to stop, or tell it something: these are
/// for the command, not for its launcher. (SIGTSTP is not among them: it
/// stops the launcher as it stops any other program.)
const HANDED_ON: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Is this one of them?
pub(crate) fn is_for_command(signal: i32) -> bool {
    HANDED_ON.iter().any(|&known| known as i32 == signal)
}

/// Blocks those signals and has them delivered as data (signalfd(2)), so that
/// there is no handler that could interrupt anything. With a terminal there is
/// something to do at a stop, too: that must not come while it is raw.
pub(crate) fn signals(has_terminal: bool) -> Result<SignalFd> {
    let mut set = SigSet::from_iter(HANDED_ON);
    set.add(Signal::SIGWINCH);
    if has_terminal {
        set.add(Signal::SIGTSTP);
        set.add(Signal::SIGCONT);
    }
    set.thread_block().context("block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("open a signalfd")
}

/// The launcher's side of a running command.
pub(crate) struct Watch<'a> {
    pub(crate) process: &'a Process,
    pub(crate) signals: &'a SignalFd,
    pub(crate) terminal: Option<Terminal>,
    /// Is the command PID 1 of its namespace? Then it has a shield.
    pub(crate) is_first: bool,
    /// Typed, but not yet taken by the container's terminal.
    pub(crate) typed: Vec<u8>,
    /// How many interrupts PID 1's shield has swallowed.
    pub(crate) ignored: u32,
}

impl Watch<'_> {
    /// Waits until the process has ended. The terminal is given back when
    /// this returns.
    pub(crate) fn until_end(mut self) -> Result<Ending> {
        loop {
            let ready = self.wait_for_anything()?;
            if ready.screen {
                self.carry_to_screen();
            }
            if ready.ended {
                while self.carry_to_screen() {}
                return process::wait(self.process);
            }
            if ready.signal {
                while let Ok(Some(signal)) = self.signals.read_signal() {
                    self.on_signal(&signal);
                }
            }
            if ready.keyboard {
                self.carry_from_keyboard();
            }
            self.deliver_typed();
        }
    }

    fn wait_for_anything(&self) -> Result<Ready> {
        let watched = PollFlags::POLLIN;
        let stdin = io::stdin();
        let mut fds = vec![
            PollFd::new(self.process.pidfd.as_fd(), watched),
            PollFd::new(self.signals.as_fd(), watched),
        ];
        if let Some(terminal) = &self.terminal {
            // No new keys while the last ones wait to be taken.
            let (keys, room) = match self.typed.is_empty() {
                true => (watched, watched),
                false => (PollFlags::empty(), watched | PollFlags::POLLOUT),
            };
            fds.push(PollFd::new(terminal.master.as_fd(), room));
            fds.push(PollFd::new(stdin.as_fd(), keys));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait for the command"),
        }
        let is = |at: usize, flags: PollFlags| {
            let events = fds.get(at).and_then(PollFd::revents);
            events.is_some_and(|events| events.intersects(flags))
        };
        let over = PollFlags::POLLHUP | PollFlags::POLLERR;
        Ok(Ready {
            ended: is(0, watched),
            signal: is(1, watched),
            screen: is(2, watched),
            keyboard: is(3, watched | over),
        })
    }

    fn on_signal(&mut self, info: &siginfo) {
        let number = info.ssi_signo as i32;
        if !is_for_command(number) {
            return self.terminal.iter().for_each(|terminal| match number {
                libc::SIGTSTP => terminal.stop(),
                libc::SIGCONT => terminal.go_on(),
                _ => terminal.resize(),
            });
        }
        // Asked before: a handler may be gone once it has run.
        let is_lost = self.is_shielded_from(number);
        if !self.has_had(info) {
            self.send(number);
        }
        if is_lost {
            self.explain_shield(number);
        }
    }

    /// A key on a shared terminal (si_code SI_KERNEL) is a signal to the whole
    /// foreground group, and so to the command, unless that has left it. Only
    /// the hang-up is sent to one process, the leader of the session.
    fn has_had(&self, info: &siginfo) -> bool {
        self.terminal.is_none()
            && info.ssi_code == SI_KERNEL
            && info.ssi_signo != libc::SIGHUP as u32
            && getpgid(Some(self.process.pid)) == Ok(getpgrp())
    }

    /// pid_namespaces(7): a signal for which PID 1 has no handler is dropped,
    /// unless it is SIGKILL or SIGSTOP and comes from outside.
    fn is_shielded_from(&self, signal: i32) -> bool {
        // All three from one reading: a signal is blocked until its handler
        // is there, and must not be found to be neither.
        let status = Proc::of(self.process.pid).read("status");
        let status = status.unwrap_or_default();
        let has = |name| {
            let mask = field(&status, name);
            let mask = mask.and_then(|m| u64::from_str_radix(m, 16).ok());
            mask.unwrap_or(u64::MAX) & (1 << (signal - 1)) != 0
        };
        // Not lost: what it catches, ignores of its own will, or blocks in
        // order to read it when it likes, as our init does.
        self.is_first && !["SigCgt", "SigIgn", "SigBlk"].into_iter().any(has)
    }

    fn explain_shield(&mut self, signal: i32) {
        let is_interrupt = signal == libc::SIGINT;
        self.ignored += u32::from(is_interrupt);
        if self.ignored >= 2 {
            return self.send(libc::SIGKILL);
        }
        let name =
            Signal::try_from(signal).map_or("the signal", |s| s.as_str());
        let more = match is_interrupt {
            true => "Once more kills it.",
            false => "--init puts a PID 1 with handlers before it.",
        };
        narrator::remark(&format!(
            "{name} dropped: the command is PID 1 and has no handler. {more}"
        ));
    }

    fn send(&self, signal: i32) {
        // ESRCH: it has ended in the meantime, and poll will say so.
        let _ = child::signal(self.process, signal);
    }

    /// Returns whether there was anything to carry.
    fn carry_to_screen(&mut self) -> bool {
        let Some(terminal) = &mut self.terminal else { return false };
        let mut buffer = [0; 4096];
        match terminal.master.read(&mut buffer) {
            Ok(length) if length > 0 => {
                show(&buffer[..length]);
                true
            }
            // EAGAIN: that was all, for now.
            _ => false,
        }
    }

    fn carry_from_keyboard(&mut self) {
        let mut buffer = [0; 4096];
        match nix::unistd::read(io::stdin(), &mut buffer) {
            Ok(length) if length > 0 => {
                self.typed.extend_from_slice(&buffer[..length]);
                for &byte in &buffer[..length] {
                    self.on_key(byte);
                }
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // The terminal is gone (its window was closed), so nobody can
            // see or end this command any more.
            _ => self.send(libc::SIGKILL),
        }
    }

    fn on_key(&mut self, byte: u8) {
        let pid = self.process.pid;
        let terminal = self.terminal.as_ref();
        if terminal.is_some_and(|terminal| terminal.interrupts(byte, pid))
            && self.is_shielded_from(libc::SIGINT)
        {
            self.explain_shield(libc::SIGINT);
        }
    }

    fn deliver_typed(&mut self) {
        let Some(terminal) = &mut self.terminal else { return };
        if self.typed.is_empty() {
            return;
        }
        if let Ok(taken) = terminal.master.write(&self.typed) {
            self.typed.drain(..taken);
        }
    }
}

/// Writes to the terminal outside. That one blocks when it is full, unless a
/// program before us has left it in the other mode.
fn show(mut bytes: &[u8]) {
    let screen = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(&screen, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let full = PollFd::new(screen.as_fd(), PollFlags::POLLOUT);
                let _ = poll(&mut [full], PollTimeout::NONE);
            }
            // It is gone, and its keyboard will tell.
            Err(_) => return,
        }
    }
}

/// Which of the descriptors have something for us.
struct Ready {
    ended: bool,
    signal: bool,
    screen: bool,
    keyboard: bool,
}
