//! A guardian gives back what the launcher borrowed from the machine, even
//! when the launcher is killed with SIGKILL and cannot do it itself.
//!
//! It is a second process that does nothing but read from a pipe. Nothing is
//! ever written to it: the kernel closes a dead process's descriptors, so the
//! read ends when the launcher does, however it ends. An ordinary end goes the
//! same way, so there is no second path that could be forgotten.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::sys::signal::SigSet;
use nix::unistd::{pipe2, read, setsid};

use crate::child::{Process, close_all_but};
use crate::process;

/// The launcher's end of the pipe. Dropping it lets the guardian do its work,
/// and waits until that is done.
#[derive(Debug)]
pub struct Guardian {
    pipe: Option<OwnedFd>,
    process: Process,
}

impl Guardian {
    /// Starts a guardian that calls `restore` when the launcher ends.
    ///
    /// `restore` runs in a copy of the launcher's memory as it is now. Of the
    /// launcher's descriptors it has stdin, and the one that is `kept`.
    pub fn start(
        kept: Option<BorrowedFd<'_>>,
        restore: impl FnOnce(),
    ) -> Result<Guardian> {
        let (reader, writer) =
            pipe2(OFlag::O_CLOEXEC).context("make the guardian's pipe")?;
        match process::fork(0, None).context("start the guardian")? {
            Some(process) => Ok(Guardian { pipe: Some(writer), process }),
            None => {
                // This also closes our copy of the writing end: while that is
                // open, the read below never ends.
                std::mem::forget(writer);
                let kept = kept.map(|descriptor| descriptor.as_raw_fd());
                let _ = close_all_but(&[Some(reader.as_raw_fd()), kept]);
                stand_apart();
                while read(&reader, &mut [0]) == Err(nix::errno::Errno::EINTR)
                {
                }
                restore();
                // SAFETY: _exit takes no pointer. exit(3) would run the
                // launcher's own clean-up a second time.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// For a copy of the launcher, which has inherited the launcher's end of
    /// the pipe: as long as any copy is open, the guardian goes on waiting.
    pub fn leave(mut self) {
        self.pipe = None;
        // The guardian is the launcher's child, and for it to wait for.
        std::mem::forget(self);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.pipe = None;
        self.process.bury();
    }
}

/// No signal that is meant for the launcher may reach its guardian: not
/// Ctrl-C, not the terminal's hang-up, not a `kill` of the whole process
/// group.
fn stand_apart() {
    let _ = setsid();
    let _ = SigSet::all().thread_block();
    // The name that `ps` shows.
    let _ = nix::sys::prctl::set_name(c"guardian");
    // It must not hold a pipeline's writing end open: `step03 | cat` ends when
    // step03 does. Only stdin is kept, it may be the terminal.
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        for stream in [io::stdout().as_raw_fd(), io::stderr().as_raw_fd()] {
            // SAFETY: both are plain descriptor numbers; the copies that
            // Rust's stdout and stderr write to may change under them.
            unsafe { libc::dup2(null.as_raw_fd(), stream) };
        }
    }
}
