//! Waiting for what happens in a group, without asking again and again.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// One of the files that tell of changes: cgroup.events, memory.events.
///
/// The kernel wakes who polls it (POLLPRI) when it has changed since it was
/// last read *by this descriptor*, and so no change can be missed; one that
/// has never been read has always changed (cgroup-v2.rst, "cgroup.events").
#[derive(Debug)]
pub struct Events(File);

impl Events {
    /// Opens it.
    ///
    /// # Errors
    /// ENOENT when there is no such group, or file.
    pub fn open(group: &Path, name: &str) -> io::Result<Events> {
        File::open(group.join(name)).map(Events)
    }

    /// What it says now.
    ///
    /// # Errors
    /// ENODEV when the group is gone.
    pub fn read(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.0.rewind()?;
        self.0.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the files has changed, or for so long. Has one changed?
///
/// # Errors
/// As for poll(2).
pub fn wait(events: &[&Events], patience: Duration) -> io::Result<bool> {
    let fds = events.iter().map(|it| it.as_fd());
    let fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLPRI));
    let mut fds: Vec<PollFd<'_>> = fds.collect();
    let wait = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, wait) {
        Ok(changed) => Ok(changed > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until cgroup.events says `line` (`populated 0`, `frozen 1`), and
/// returns whether it does. A group that is gone says nothing more: false.
///
/// # Errors
/// As for open(2) and poll(2); ENOENT when there is no such group.
pub fn wait_for(
    group: &Path,
    line: &str,
    patience: Duration,
) -> io::Result<bool> {
    let start = Instant::now();
    let mut events = Events::open(group, "cgroup.events")?;
    loop {
        let Ok(text) = events.read() else { return Ok(false) };
        if text.lines().any(|found| found == line) {
            return Ok(true);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        wait(&[&events], left)?;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_that_is_there_ends_the_wait() {
        let group = witness::Folder::new();
        let wait = |line| wait_for(group.path(), line, Duration::ZERO);
        assert!(wait("populated 0").is_err(), "there is no group");
        let text = "populated 1\nfrozen 0\n";
        fs::write(group.join("cgroup.events"), text).expect("write it");
        assert!(wait("populated 1").expect("a group"));
        assert!(!wait("populated 0").expect("a group"), "the control");
        assert!(!wait("populated").expect("a group"), "half a line");
    }

    #[test]
    fn what_is_read_again_is_read_from_the_start() {
        let group = witness::Folder::new();
        let file = group.join("memory.events");
        fs::write(&file, "oom 0\n").expect("write it");
        let mut events =
            Events::open(group.path(), "memory.events").expect("open it");
        assert_eq!(events.read().expect("read it"), "oom 0\n");
        fs::write(&file, "oom 1\n").expect("write it");
        assert_eq!(events.read().expect("read it"), "oom 1\n");
    }
}
