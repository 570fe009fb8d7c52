//! What may end a wait besides a save: a key on the terminal, or a signal.
//!
//! A terminal hands over whole lines, unless it is told otherwise (termios(3),
//! "Canonical and noncanonical mode"), and it stays as it was told when the
//! program that did it has gone. So whatever ends this program, the settings
//! come first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, read, tcgetpgrp};

/// What would end or stop this program, or tells that a child has ended.
const SIGNALS: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGCONT,
    Signal::SIGCHLD,
];

/// Signals that are read where others are waited for, and not obeyed in the
/// middle of something: they are blocked as long as this lives.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks them.
    ///
    /// # Errors
    /// EMFILE: no descriptor is left.
    pub fn block() -> Result<Signals> {
        let mut before = SigSet::empty();
        let set: SigSet = SIGNALS.into_iter().collect();
        let block = Some(&set);
        sigprocmask(SigmaskHow::SIG_BLOCK, block, Some(&mut before))
            .context("block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&set, flags);
        Ok(Signals { fd: fd.context("read signals")?, before })
    }

    /// What poll(2) waits for.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The next that has come, if one has.
    #[must_use]
    pub fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok().flatten()?;
        Signal::try_from(info.ssi_signo as i32).ok()
    }

    /// Does now what the signal would have done at once.
    pub fn obey(self, signal: Signal) {
        drop(self);
        let _ = raise(signal);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let before = Some(&self.before);
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, before, None);
    }
}

/// A terminal that hands over every key at once. Ctrl-C stays a signal, and
/// what is printed looks as before.
#[derive(Debug)]
pub struct Keys {
    saved: Termios,
}

impl Keys {
    /// Takes the terminal on stdin. `None`: there is none, or another job of
    /// the shell's has it.
    #[must_use]
    pub fn take() -> Option<Keys> {
        let stdin = io::stdin();
        // ENOTTY where it is no terminal.
        let foreground = tcgetpgrp(stdin.as_fd()).ok()?;
        let saved = tcgetattr(&stdin).ok()?;
        if foreground != getpgrp() {
            return None;
        }
        let mut settings = saved.clone();
        settings.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO);
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // What was typed before nobody meant for us.
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &settings).ok()?;
        Some(Keys { saved })
    }

    /// What was pressed; `None` when the terminal is gone.
    #[must_use]
    pub fn pressed(&self) -> Option<String> {
        let mut bytes = [0; 32];
        match read(io::stdin(), &mut bytes) {
            Ok(0) => None,
            Ok(length) => {
                let text = String::from_utf8_lossy(&bytes[..length]);
                Some(without_sequences(&text))
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Some(String::new()),
            Err(_) => None,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.saved);
    }
}

/// Without keys such as the arrows: those are several characters, ESC, `[` or
/// `O`, and others up to a letter or `~` (console_codes(4)).
fn without_sequences(text: &str) -> String {
    let mut characters = text.chars().peekable();
    let mut rest = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}'
                if characters.next_if(|c| "[O".contains(*c)).is_some() =>
            {
                let is_end = |c: &char| ('@'..='~').contains(c);
                let _ = characters.by_ref().find(is_end);
            }
            '\u{1b}' => {}
            other => rest.push(other),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::without_sequences;

    #[test]
    fn an_arrow_is_no_letter() {
        for (pressed, left) in [
            ("q", "q"),
            ("\u{1b}[A", ""),
            ("\u{1b}Oq", ""),
            ("\u{1b}[1;5nq", "q"),
            ("a\u{1b}[15~h", "ah"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(without_sequences(pressed), left, "{pressed:?}");
        }
    }
}
