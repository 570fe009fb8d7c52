//! Being told when the memory of a group has come to its end.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use step07::events::{Events, wait};

use super::files::write;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A process has been killed for its memory, or (v1, where that is asked
    /// for) has to wait until there is more.
    Oom,
    /// v2: no process is left in the group; v1: the group is gone.
    Ended,
    /// Nothing, for as long as was to be waited.
    Nothing,
}

/// Tells of a group what happens from now on.
#[derive(Debug)]
pub struct OomNotifier(Version);

#[derive(Debug)]
enum Version {
    V1 { signal: EventFd, group: PathBuf },
    V2 { memory: Events, group: Events, kills: u64 },
}

impl OomNotifier {
    pub(crate) fn new(group: &Path, is_v1: bool) -> Result<OomNotifier> {
        let notifier = match is_v1 {
            true => v1(group),
            false => v2(group),
        };
        notifier.map(OomNotifier).with_context(|| {
            format!("ask for the memory events of {}", group.display())
        })
    }

    /// Waits for the next event, and not longer than `patience`.
    ///
    /// # Errors
    /// As for poll(2) and read(2).
    pub fn next(&mut self, patience: Duration) -> Result<Event> {
        let event = match &mut self.0 {
            Version::V1 { signal, group } => next_v1(signal, group, patience),
            Version::V2 { memory, group, kills } => {
                next_v2(memory, group, kills, patience)
            }
        };
        event.context("wait for a memory event")
    }
}

/// v1 has no file that can be polled. One hands a descriptor of eventfd(2) to
/// the kernel, which signals by it (Documentation/admin-guide/cgroup-v1/
/// memory.rst, "OOM Control").
fn v1(group: &Path) -> io::Result<Version> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let signal = EventFd::from_flags(flags)?;
    let control = File::open(group.join("memory.oom_control"))?;
    let (signal_fd, control) = (signal.as_fd().as_raw_fd(), control);
    let line = format!("{signal_fd} {}", control.as_raw_fd());
    write(group, "cgroup.event_control", &line)?;
    Ok(Version::V1 { signal, group: group.to_owned() })
}

/// The end of the group is signalled, too.
fn next_v1(
    signal: &EventFd,
    group: &Path,
    patience: Duration,
) -> io::Result<Event> {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(signal.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, timeout) {
        Ok(0) | Err(Errno::EINTR) => return Ok(Event::Nothing),
        polled => polled?,
    };
    signal.read()?;
    let is_there = group.join("memory.oom_control").exists();
    Ok(if is_there { Event::Oom } else { Event::Ended })
}

fn v2(group: &Path) -> io::Result<Version> {
    let mut memory = Events::open(group, "memory.events")?;
    let kills = kills(&memory.read()?);
    let group = Events::open(group, "cgroup.events")?;
    Ok(Version::V2 { memory, group, kills })
}

fn next_v2(
    memory: &mut Events,
    group: &mut Events,
    kills: &mut u64,
    patience: Duration,
) -> io::Result<Event> {
    let start = Instant::now();
    loop {
        // First whether somebody was killed: the last one may have been.
        let is_gone = |text: &io::Result<String>| match text {
            Err(error) => error.raw_os_error() == Some(libc::ENODEV),
            Ok(_) => false,
        };
        let (now, state) = (memory.read(), group.read());
        if is_gone(&now) || is_gone(&state) {
            return Ok(Event::Ended);
        }
        let now = self::kills(&now?);
        if now > *kills {
            *kills = now;
            return Ok(Event::Oom);
        }
        if state?.lines().any(|line| line == "populated 0") {
            return Ok(Event::Ended);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(Event::Nothing);
        }
        wait(&[memory, group], left)?;
    }
}

/// How many processes have been killed for their memory.
fn kills(events: &str) -> u64 {
    let mut lines = events.lines().filter_map(|line| line.split_once(' '));
    let number = lines.find(|(key, _)| *key == "oom_kill");
    number.and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// How many processes of a group have been killed for their memory, up to now.
pub(crate) fn count(group: &Path, is_v1: bool) -> u64 {
    let file = if is_v1 { "memory.oom_control" } else { "memory.events" };
    kills(&fs::read_to_string(group.join(file)).unwrap_or_default())
}
