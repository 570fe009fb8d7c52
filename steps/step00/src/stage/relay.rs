//! Carries bytes between the real terminal and the container's own.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::terminal::Terminal;

/// Both terminals, and what is under way between them.
pub(super) struct Relay {
    pub(super) terminal: Terminal,
    keyboard: io::Stdin,
    /// Typed, but not yet taken by the container's terminal.
    typed: Vec<u8>,
}

impl Relay {
    /// Nothing is under way yet.
    pub(super) fn new(terminal: Terminal) -> Relay {
        Relay { terminal, keyboard: io::stdin(), typed: Vec::new() }
    }

    /// What to wait for: the container's screen, and then the keyboard.
    pub(super) fn watched(&self) -> [PollFd<'_>; 2] {
        let watched = PollFlags::POLLIN;
        // No new keys while the last ones wait to be taken.
        let (keys, room) = match self.typed.is_empty() {
            true => (watched, watched),
            false => (PollFlags::empty(), watched | PollFlags::POLLOUT),
        };
        let screen = self.terminal.master.as_fd();
        [PollFd::new(screen, room), PollFd::new(self.keyboard.as_fd(), keys)]
    }

    /// Shows what the container has written. Was there anything?
    pub(super) fn show(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.terminal.master.read(&mut buffer) {
            Ok(length) if length > 0 => {
                write_all(&buffer[..length]);
                true
            }
            // EAGAIN: that was all, for now.
            _ => false,
        }
    }

    /// Takes what was typed, and returns it; or none when the terminal is
    /// gone.
    pub(super) fn read_keys(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let read = nix::unistd::read(&self.keyboard, &mut buffer);
        if is_gone(read) {
            return None;
        }
        let typed = &buffer[..read.unwrap_or(0)];
        self.typed.extend_from_slice(typed);
        Some(typed.to_vec())
    }

    /// Gives the container's terminal as much as it takes.
    pub(super) fn deliver(&mut self) {
        if self.typed.is_empty() {
            return;
        }
        if let Ok(taken) = self.terminal.master.write(&self.typed) {
            self.typed.drain(..taken);
        }
    }
}

/// Does this answer to read(2) say that the terminal is gone? It is at its end
/// then, or EIO; that there is nothing to read just now says no such thing.
fn is_gone(read: nix::Result<usize>) -> bool {
    !matches!(read, Ok(1..) | Err(Errno::EINTR | Errno::EAGAIN))
}

/// Writes to the terminal outside. Writes to it block when it is full, unless
/// an earlier program has left it non-blocking (O_NONBLOCK).
fn write_all(mut bytes: &[u8]) {
    let screen = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(&screen, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let full = PollFd::new(screen.as_fd(), PollFlags::POLLOUT);
                let _ = poll(&mut [full], PollTimeout::NONE);
            }
            // It is gone, as the next read of it will tell.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyboard_with_nothing_to_read_is_not_gone() {
        for read in [Ok(1), Ok(9), Err(Errno::EINTR), Err(Errno::EAGAIN)] {
            assert!(!is_gone(read), "{read:?}");
        }
        for read in [Ok(0), Err(Errno::EIO)] {
            assert!(is_gone(read), "the control: {read:?}");
        }
    }
}
