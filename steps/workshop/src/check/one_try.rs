//! One `workshop check`, whose words are passed on while they come.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;

use super::keys::Signals;
use super::outside;
use crate::text::columns;

/// How long it may take to end what it has started.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How it came to an end.
pub enum Ending {
    /// With these words.
    Text(String),
    /// We are to end as well.
    Signal(Signal),
}

/// It, while it runs.
pub struct OneTry {
    child: Child,
    stdout: ChildStdout,
    text: Vec<u8>,
}

impl OneTry {
    /// Starts it.
    ///
    /// # Errors
    /// The program is not there any more, or has no more processes.
    pub fn start(
        program: &Path,
        arguments: &[String],
        repository: &Path,
    ) -> Result<OneTry> {
        let mut command = Command::new(program);
        command.args(arguments).arg("--repository").arg(repository);
        // Its stdout is a pipe, which has no columns.
        command.env("WORKSHOP_COLUMNS", columns().to_string());
        let started = command.stdout(Stdio::piped()).spawn();
        let mut child =
            started.with_context(|| format!("start {}", program.display()))?;
        let stdout = child.stdout.take().context("its stdout")?;
        // What it has left running may hold the pipe: never wait in read(2).
        let flags = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
        fcntl(&stdout, flags).context("read without waiting")?;
        Ok(OneTry { child, stdout, text: Vec::new() })
    }

    /// Passes on what it says, until it ends or we are told to.
    ///
    /// # Errors
    /// Those of the writer, and of waiting.
    pub fn follow(
        mut self,
        signals: &Signals,
        out: &mut impl Write,
    ) -> Result<Ending> {
        let mut is_open = true;
        loop {
            let mut fds = vec![PollFd::new(signals.fd(), PollFlags::POLLIN)];
            if is_open {
                let stdout = self.stdout.as_fd();
                fds.push(PollFd::new(stdout, PollFlags::POLLIN));
            }
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                count => count.context("wait for the check")?,
            };
            is_open = is_open && self.pass_on(out)?;
            match signals.next() {
                Some(Signal::SIGTSTP) => {
                    raise(Signal::SIGSTOP).context("stop, as Ctrl-Z says")?;
                }
                Some(Signal::SIGCONT) | None => {}
                Some(Signal::SIGCHLD) => {
                    if self.child.try_wait().context("wait")?.is_some() {
                        self.pass_on(out)?;
                        let text = String::from_utf8_lossy(&self.text);
                        return Ok(Ending::Text(text.into_owned()));
                    }
                }
                Some(signal) => {
                    self.end(signal, signals);
                    self.pass_on(out)?;
                    return Ok(Ending::Signal(signal));
                }
            }
        }
    }

    /// What it has said by now. Will it say more?
    fn pass_on(&mut self, out: &mut impl Write) -> Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            match self.stdout.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    out.write_all(&buffer[..length])?;
                    out.flush()?;
                    self.text.extend(&buffer[..length]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("hear the check"),
            }
        }
    }

    /// Hands the signal on, to it and to all that it has started, and gives it
    /// a while to clear up. Ctrl-C has reached them already, with all that is
    /// in the foreground; once more does no harm.
    fn end(&mut self, signal: Signal, signals: &Signals) {
        // While we have not waited for it, its number stays its own.
        let mut all = vec![self.child.id() as i32];
        let mut at = 0;
        while let Some(&pid) = all.get(at) {
            all.extend(outside::children(pid));
            at += 1;
        }
        for pid in all {
            // EPERM: sudo is root's. It hands on what its child has got.
            let _ = kill(Pid::from_raw(pid), signal);
        }
        let mut fds = [PollFd::new(signals.fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(LAST_WORDS);
        let limit = limit.unwrap_or(PollTimeout::ZERO);
        while matches!(self.child.try_wait(), Ok(None)) {
            match poll(&mut fds, limit) {
                Ok(0) => break,
                _ => while signals.next().is_some() {},
            }
        }
    }
}

impl Drop for OneTry {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
