//! A guardian gives back what the launcher borrowed from the machine, even
//! when the launcher is killed with SIGKILL and cannot do it itself.
//!
//! It is a second process that does nothing but read from a socket. Nothing is
//! ever written to it: the kernel closes a dead process's descriptors, so the
//! read ends when the launcher does, however it ends. An ordinary end goes the
//! same way, so there is no second path that could be forgotten.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair,
};
use nix::unistd::{read, setsid};

use crate::child::{Process, close_all_but};
use crate::process;

/// The launcher's end of the socket. Dropping it lets the guardian do its
/// work, and waits until that is done.
#[derive(Debug)]
pub struct Guardian {
    socket: OwnedFd,
    process: Option<Process>,
    lingers: bool,
}

/// Guardians that have done their work and may not have ended yet.
static LINGERING: Mutex<Vec<Process>> = Mutex::new(Vec::new());

impl Guardian {
    /// Starts a guardian that calls `restore` when the launcher ends.
    ///
    /// `restore` runs in a copy of the launcher's memory as it is now. Of the
    /// launcher's descriptors it has stdin, and those that are `kept`.
    pub fn start(
        kept: &[BorrowedFd<'_>],
        restore: impl FnOnce(),
    ) -> Result<Guardian> {
        let (family, flags) = (AddressFamily::Unix, SockFlag::SOCK_CLOEXEC);
        let (ours, its) = socketpair(family, SockType::Stream, None, flags)
            .context("make the guardian's socket")?;
        match process::fork(0, None).context("start the guardian")? {
            Some(process) => Ok(Guardian {
                socket: ours,
                process: Some(process),
                lingers: false,
            }),
            None => {
                // This also closes our copy of the launcher's end: while that
                // is open, the read below never ends.
                std::mem::forget(ours);
                let kept = kept.iter().map(AsRawFd::as_raw_fd);
                let kept = kept.chain([its.as_raw_fd()]).map(Some);
                let _ = close_all_but(&kept.collect::<Vec<_>>());
                stand_apart();
                wait_for_the_end_of(&its);
                restore();
                // The launcher reads this.
                drop(its);
                // SAFETY: _exit takes no pointer. exit(3) would run the
                // launcher's own clean-up a second time.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// For one that keeps something that takes the kernel a while to close:
    /// its work is waited for, and its end is not.
    #[must_use]
    pub fn lingering(mut self) -> Guardian {
        self.lingers = true;
        self
    }

    /// For a launcher that lives on, and has time: waits for the end of those
    /// that linger. (Of one that ends, init takes their status.)
    pub fn bury_lingering() {
        for process in std::mem::take(&mut *lingering()) {
            process.bury();
        }
    }

    /// For a copy of the launcher, which has inherited the launcher's end of
    /// the socket: as long as any copy is open, the guardian goes on waiting.
    pub fn leave(mut self) {
        // The guardian is the launcher's child, and for it to wait for.
        self.process = None;
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
        wait_for_the_end_of(&self.socket);
        match self.lingers {
            true => lingering().push(process),
            false => process.bury(),
        }
    }
}

/// Nothing is ever written: the read ends with the other end.
fn wait_for_the_end_of(socket: &OwnedFd) {
    while read(socket, &mut [0]) == Err(Errno::EINTR) {}
}

fn lingering() -> std::sync::MutexGuard<'static, Vec<Process>> {
    LINGERING.lock().unwrap_or_else(PoisonError::into_inner)
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
