//! A launcher that goes on without its terminal.
//!
//! There is no daemon for all containers. A detached one has a launcher of its
//! own, the same that it would have in a terminal. The process that was
//! started only waits until the container runs, and then ends.

pub mod policy;
pub mod restart;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, setsid};
use step00::child::close_all_but;
use step00::{Ending, Failure, process};

use crate::Args;

/// The launcher of one container. A detached one has a pipe to the process
/// that waits for it, and sends one message: that the container runs, or why
/// not.
pub struct Launcher {
    is_detached: bool,
    pipe: Cell<Option<OwnedFd>>,
}

/// Runs the launcher, here or detached.
///
/// # Errors
/// Those of `run`, and a terminal that cannot be had; detached, also when it
/// was killed before it sent anything.
pub fn launch(
    args: &Args,
    run: impl FnOnce(&Launcher) -> Result<Ending>,
) -> Result<Ending> {
    args.terminal.check(args.detach)?;
    match args.detach {
        true => detach(run),
        false => run(&Launcher { is_detached: false, pipe: Cell::new(None) }),
    }
}

/// Continues in a new process, which calls `run` and exits. The old one waits
/// for its message, and prints the name in it when the container runs.
fn detach(run: impl FnOnce(&Launcher) -> Result<Ending>) -> Result<Ending> {
    let (reader, writer) =
        pipe2(OFlag::O_CLOEXEC).context("make a pipe to the launcher")?;
    match process::fork(0, None).context("start the launcher")? {
        Some(_) => {
            drop(writer);
            wait(reader)
        }
        None => {
            // Not what the caller has open: a lock of a script's is not ours to
            // keep, and who reads a pipe of it waits for its end.
            let _ = close_all_but(&[Some(writer.as_raw_fd())]);
            std::mem::forget(reader);
            let pipe = Cell::new(Some(writer));
            let launcher = Launcher { is_detached: true, pipe };
            let status = match leave_terminal().and_then(|()| run(&launcher)) {
                Ok(ending) => ending.status(),
                Err(error) => launcher.report(&error),
            };
            std::process::exit(status.into())
        }
    }
}

/// No Ctrl-C, no hang-up, and no keyboard: a session without a terminal.
fn leave_terminal() -> Result<()> {
    setsid().context("start a session without a terminal")?;
    redirect(libc::STDIN_FILENO)
}

fn redirect(stream: i32) -> Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: both are plain descriptor numbers.
    let answer = unsafe { libc::dup2(null.as_raw_fd(), stream) };
    Errno::result(answer).map(drop).context("let go of the terminal")
}

/// The message is the status, then the name or what went wrong. A launcher
/// that was killed sends none.
fn wait(reader: OwnedFd) -> Result<Ending> {
    let mut bytes = Vec::new();
    File::from(reader)
        .read_to_end(&mut bytes)
        .context("read the launcher's message")?;
    let Some((&status, text)) = bytes.split_first() else {
        bail!("the launcher was killed while the container was set up");
    };
    let message = String::from_utf8_lossy(text).into_owned();
    match status {
        0 => step00::print(&(message + "\n")),
        status => Err(Failure { status, message }.into()),
    }
}

impl Launcher {
    /// Says that the container runs, and lets go of the terminal and of its
    /// working directory, whose filesystem could not be unmounted otherwise. A
    /// launcher that is not detached keeps both.
    ///
    /// # Errors
    /// EPIPE when the waiting process was interrupted: then the container is
    /// not wanted any more.
    pub fn is_up(&self, name: &str) -> Result<()> {
        if !self.is_detached {
            return Ok(());
        }
        // First what may fail, as long as the error can be sent.
        redirect(libc::STDOUT_FILENO)?;
        redirect(libc::STDERR_FILENO)?;
        std::env::set_current_dir("/").context("enter /")?;
        self.say(0, name).context("say that the container runs")
    }

    fn report(&self, error: &anyhow::Error) -> u8 {
        let failure = Failure::from_error(error);
        let _ = self.say(failure.status, &failure.message);
        failure.status
    }

    fn say(&self, status: u8, text: &str) -> io::Result<()> {
        // The waiting process reads to the end of the pipe: this closes it.
        // And when it is started again, nobody waits.
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        let mut message = vec![status];
        message.extend(text.bytes());
        File::from(pipe).write_all(&message)
    }
}
