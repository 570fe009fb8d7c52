//! The signals that a launcher gets while its command runs, and which of them
//! are for the command.

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that ask a program to stop, or tell it something: these are
/// for the command, not for its launcher. (SIGTSTP is not among them: it
/// stops the launcher as it stops any other program.)
const FORWARDED: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Is this one of them?
pub(super) fn is_for_command(signal: i32) -> bool {
    FORWARDED.iter().any(|&known| known as i32 == signal)
}

/// Blocks those signals and has them delivered as data (signalfd(2)), so that
/// there is no handler that could interrupt anything. With a terminal there is
/// something to do at a stop, too: that must not come while it is raw.
pub(super) fn block(has_terminal: bool) -> Result<SignalFd> {
    let mut set = SigSet::from_iter(FORWARDED);
    set.add(Signal::SIGWINCH);
    if has_terminal {
        set.add(Signal::SIGTSTP);
        set.add(Signal::SIGCONT);
    }
    set.thread_block().context("block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("open a signalfd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_a_program_to_stop_is_for_the_command() {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            assert!(is_for_command(signal));
        }
        for signal in [0, libc::SIGWINCH, libc::SIGTSTP, libc::SIGCHLD] {
            assert!(!is_for_command(signal));
        }
    }

    #[test]
    fn a_stop_is_waited_for_where_there_is_a_terminal() {
        let blocked = |has_terminal| {
            let signals = block(has_terminal).expect("block them");
            let mask = SigSet::thread_get_mask().expect("the mask");
            assert!(matches!(signals.read_signal(), Ok(None)), "nothing yet");
            let of = [Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGTSTP];
            let found = of.map(|signal| mask.contains(signal));
            mask.thread_unblock().expect("unblock them");
            found
        };
        assert_eq!(blocked(false), [true, true, false]);
        assert_eq!(blocked(true), [true, true, true]);
    }
}
