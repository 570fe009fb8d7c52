//! The loop of init: it waits for signals.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use step00::Ending;
use step00::child::SI_KERNEL;

/// Reaps every child that ends and forwards every signal, until `command` has
/// ended. `reap` takes the status of all that have ended by now, and returns
/// the command's if it was among them.
///
/// # Errors
/// As for read(2) of a signalfd, kill(2), and `reap`.
pub(crate) fn look_after(
    command: Pid,
    signals: &SignalFd,
    reap: fn(Pid) -> Result<Option<Ending>>,
) -> Result<Ending> {
    loop {
        let info = signals.read_signal().context("wait for a signal")?;
        let Some(info) = info else { continue };
        let signal = Signal::try_from(info.ssi_signo as i32);
        match signal {
            Ok(Signal::SIGCHLD) => {
                if let Some(ending) = reap(command)? {
                    return Ok(ending);
                }
            }
            // A key of the terminal: the kernel has given the signal to the
            // whole foreground group, and so to the command as well.
            _ if info.ssi_code == SI_KERNEL => {}
            Ok(signal) => match kill(command, signal) {
                // ESRCH: it has just ended, SIGCHLD is on its way.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno).context("forward a signal"),
            },
            // A real-time signal: the kernel's rule for PID 1 holds.
            Err(_) => {}
        }
    }
}
