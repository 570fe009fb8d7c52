//! System calls of a rung, looked at in the moment in which they are made.
//!
//! What a process was asked to do, and with which arguments, is known to the
//! kernel alone. A seccomp filter can have it ask us first: the call waits
//! until it is answered (seccomp_unotify(2)), and meanwhile /proc shows in what
//! state the process makes it. The words that the rung prints are not needed.

mod listener;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use libc::c_long;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::outside;

/// A call that a process is about to make.
#[derive(Debug)]
pub struct Call {
    /// The process: its number here.
    pub pid: i32,
    /// Which call: `libc::SYS_*`.
    pub number: c_long,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What becomes of it.
#[derive(Debug)]
pub enum Answer {
    /// It is made.
    GoOn,
    /// It is not, and fails with this.
    Refuse(Errno),
}

impl Call {
    /// The string that an argument points to; nothing for a null pointer.
    #[must_use]
    pub fn text(&self, argument: usize) -> String {
        let mut bytes = [0; 256];
        let memory = File::open(outside::proc(self.pid).path("mem"));
        let at = self.arguments[argument];
        let length = memory.and_then(|memory| memory.read_at(&mut bytes, at));
        let bytes = &bytes[..length.unwrap_or(0)];
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The number, of eight bytes, that an argument points to.
    #[must_use]
    pub fn pointed_to(&self, argument: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        let memory = File::open(outside::proc(self.pid).path("mem")).ok()?;
        let at = self.arguments[argument];
        memory.read_exact_at(&mut bytes, at).ok()?;
        Some(u64::from_ne_bytes(bytes))
    }
}

/// Those of one rung, as long as this lives.
#[derive(Debug)]
pub struct Watch<T> {
    notes: Arc<Mutex<Vec<T>>>,
    is_over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl<T: Clone + Send + 'static> Watch<T> {
    /// Has `command` ask before it makes one of the calls `numbers`. What
    /// `look` notes is kept.
    ///
    /// Where the kernel allows no such filter, nothing is noted.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn new(
        command: &mut Command,
        numbers: &[c_long],
        look: impl FnMut(&Call) -> (Option<T>, Answer) + Send + 'static,
    ) -> Result<Watch<T>> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .context("make a pair of sockets")?;
        let filter = listener::filter(numbers);
        let install = move || listener::install(&filter, &theirs);
        // SAFETY: between fork and exec these are system calls, and an
        // allocation, which the C library allows after its own fork.
        unsafe { command.pre_exec(install) };
        let notes = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (kept, end) = (Arc::clone(&notes), Arc::clone(&is_over));
        let server = std::thread::spawn(move || {
            serve(&ours, &end, &kept, look);
        });
        Ok(Watch { notes, is_over, server: Some(server) })
    }

    /// What has been noted by now.
    #[must_use]
    pub fn notes(&self) -> Vec<T> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.server.take().map(JoinHandle::join);
    }
}

/// Answers until it is over, or nobody is left who could ask.
fn serve<T>(
    socket: &OwnedFd,
    is_over: &AtomicBool,
    notes: &Mutex<Vec<T>>,
    mut look: impl FnMut(&Call) -> (Option<T>, Answer),
) {
    let wait = |fd: &OwnedFd| loop {
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, 20_u8);
        let events = fds[0].revents().unwrap_or(PollFlags::empty());
        if is_over.load(Ordering::Relaxed) {
            return false;
        }
        if !events.is_empty() {
            return events.contains(PollFlags::POLLIN);
        }
    };
    if !wait(socket) {
        return;
    }
    let Some(listener) = listener::take(socket) else { return };
    while wait(&listener) {
        // ENOENT: who has asked is gone.
        let _ = listener::answer(&listener, |call| {
            let (note, answer) = look(call);
            if let (Some(note), Ok(mut notes)) = (note, notes.lock()) {
                notes.push(note);
            }
            answer
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cd(refused: bool) -> (Option<i32>, Vec<String>) {
        let mut command = witness::command("sh");
        command.args(["-c", "cd /proc && exit 7"]);
        let answer = move |call: &Call| {
            let answer = match refused {
                true => Answer::Refuse(Errno::EACCES),
                false => Answer::GoOn,
            };
            (Some(call.text(0)), answer)
        };
        let numbers = [libc::SYS_sethostname, libc::SYS_chdir];
        let watch = Watch::new(&mut command, &numbers, answer).expect("watch");
        let status = witness::output(&mut command).status.code();
        (status, watch.notes())
    }

    #[test]
    fn a_call_is_seen_with_what_it_names_and_may_be_refused() {
        let seen = vec!["/proc".to_owned()];
        assert_eq!(cd(false), (Some(7), seen.clone()));
        let (status, notes) = cd(true);
        assert_eq!(notes, seen);
        assert_ne!(status, Some(7), "it has gone there all the same");
    }
}
