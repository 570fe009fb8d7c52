//! The outer side of the gate: `state`, which looks, and `start`, which opens.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal::{SIGCONT, SIGKILL, SIGSTOP};
use step08::arch;

use super::container::{self, Container, Place};
use super::ended;
use crate::check::report::Report;
use crate::check::running::limit;
use crate::check::{Attempt, Causes, outside, running};

/// What `state` and `start` say, and the mistake behind it.
const CAUSES: &Causes = &[
    (
        &["no such device or address"],
        "`look` must return None where openat(2) answers ENXIO: nobody waits \
         any more",
    ),
    (
        &["bad file descriptor"],
        "`look` must open the gate for writing, and `open` write to it",
    ),
];

const EARLY: &str = "`open` has returned before the process was through: it \
                     must wait until the gate has POLLERR, and for nothing \
                     else (POLLOUT is there at once)";
const NO_BYTE: &str =
    "`open` must write a byte into the gate: `wait` is waiting for it";
const NO_END: &str = "`open` does not see that nobody has the gate open any \
                      more: poll(2) tells of that with POLLERR, and only \
                      while no reader of your own is left";

/// What `state` says.
pub fn state_is(
    attempt: &mut Attempt,
    container: &Container<'_>,
    status: &str,
    mistake: &str,
) -> Result<()> {
    let what = format!("state says: {status}");
    let report =
        running::run(container.bundle.command(&["state", &container.id]))?;
    if report.status != Some(0) {
        let likely = match report.status {
            None => {
                "`look` waits for ever: without O_NONBLOCK open(2) waits \
                     until somebody has the other end open"
            }
            _ => mistake,
        };
        return ended(attempt, &what, &report, "look", CAUSES, likely);
    }
    let json: serde_json::Value = serde_json::from_str(&report.stdout)?;
    let found = json["status"].as_str().unwrap_or_default();
    attempt.same(&what, found, status, mistake)
}

/// Lets it start while its process is stopped: `start` must not end before.
pub fn look(attempt: &mut Attempt, container: &Container<'_>) -> Result<()> {
    container.signal(SIGSTOP)?;
    container.comes_to(Place::Stopped);
    let (report, early) = scope(|scope| {
        let command = container.bundle.command(&["start", &container.id]);
        let before = outside::children(std::process::id() as i32);
        let start = scope.spawn(|| running::run(command));
        let early = ends_early(container, &before, || start.is_finished());
        let _ = container.signal(SIGCONT);
        let report = start.join().map_err(|_| anyhow!("stopped by a bug"));
        (report, early)
    });
    let report = report??;
    let found = |attempt: &mut Attempt, is_met, words: String| {
        let what = "start does not end before the process is through";
        let expected = "it waits for that";
        attempt.found(what, is_met, words, expected, EARLY)
    };
    if let (Some(early), Some(0)) = (early, report.status) {
        return found(attempt, false, early.into());
    }
    let likely = match (report.status, container.place()) {
        (None, Place::Through) => NO_END,
        (None, _) => NO_BYTE,
        _ => {
            "`look` or `open` returns an error: see above for the kernel's \
              answer"
        }
    };
    let what = "start lets it go on";
    ended(attempt, what, &report, "open", CAUSES, likely)?;
    let is_through = container.place() == Place::Through;
    found(attempt, is_through, container.words())
}

/// One that is through the gate, whoever has opened it.
pub fn running(
    attempt: &mut Attempt,
    container: &Container<'_>,
) -> Result<()> {
    state_is(
        attempt,
        container,
        "running",
        "`look` still finds somebody at the gate: opened for reading as well \
         (O_RDWR), or with O_RDONLY, it finds itself; it is to be O_WRONLY",
    )?;
    is_refused(attempt, container, "a second start is refused")
}

/// Has `start` ended, or does it wait for something else than for the gate?
/// The process is stopped, so nothing can come from there.
fn ends_early(
    container: &Container<'_>,
    before: &[i32],
    has_ended: impl Fn() -> bool,
) -> Option<&'static str> {
    let begun = Instant::now();
    while begun.elapsed() < limit() {
        if has_ended() {
            return Some("it has ended, and the process has not gone on");
        }
        let mut new = outside::children(std::process::id() as i32);
        new.retain(|pid| !before.contains(pid));
        let sleeping = |pid: &&i32| container::state(**pid) == Some('S');
        let sleeper = new.iter().find(sleeping);
        if let Some(&pid) = sleeper.filter(|_| has_byte(container)) {
            return limited_wait(pid);
        }
        sleep(Duration::from_millis(3));
    }
    None
}

/// Is there something to be read from the gate?
fn has_byte(container: &Container<'_>) -> bool {
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let Ok(gate) = options.open(container.gate()) else { return false };
    let mut fds = [PollFd::new(gate.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) == Ok(1)
}

/// The call in which it sleeps (proc_pid_syscall(5)): one that ends when time
/// is up is no wait for the gate.
fn limited_wait(pid: i32) -> Option<&'static str> {
    let line = outside::read(pid, "syscall");
    let mut words = line.split_whitespace();
    let call = words.next()?.parse().ok()?;
    let timeout = words.nth(2)?.trim_start_matches("0x");
    let timeout = u64::from_str_radix(timeout, 16).ok()?;
    let is_limited = match arch::name(call) {
        Some("nanosleep" | "clock_nanosleep") => true,
        // The address of a time limit, or none; and milliseconds.
        Some("ppoll") => timeout != 0,
        Some("poll") => (timeout as i32) >= 0,
        _ => false,
    };
    is_limited.then_some("it waits for a while, and then goes on")
}

/// A `start` that must not succeed.
fn is_refused(
    attempt: &mut Attempt,
    container: &Container<'_>,
    what: &str,
) -> Result<()> {
    let report = running::run(start(container))?;
    let is_met = report.status.is_some_and(|status| status != 0);
    let words = report.words();
    let mistake = "`look` still finds somebody at the gate";
    attempt.found(what, is_met, words, "an error of start's", mistake)
}

/// What lets it start.
pub fn start(container: &Container<'_>) -> std::process::Command {
    container.bundle.command(&["start", &container.id])
}

/// Its process is killed while it waits.
pub fn killed(attempt: &mut Attempt, container: &Container<'_>) -> Result<()> {
    container.comes_to(Place::Waiting);
    container.signal(SIGKILL)?;
    container.comes_to(Place::Gone);
    let mistake = "`look` must find nobody where the process is dead";
    state_is(attempt, container, "stopped", mistake)?;
    let what = "one that was killed while it waited is not started";
    is_refused(attempt, container, what)?;
    let delete = container.bundle.command(&["delete", &container.id]);
    let report = running::run(delete)?;
    forgotten(attempt, container, &report)
}

fn forgotten(
    attempt: &mut Attempt,
    container: &Container<'_>,
    report: &Report,
) -> Result<()> {
    let what = "delete leaves nothing of it";
    attempt.ended(what, report, 0, CAUSES, "`look` returns an error")?;
    attempt.found(
        "its folder is gone, and the gate with it",
        !container.bundle.folder(&container.id).exists(),
        "a folder",
        "nothing",
        "`make` must make its FIFO in `folder`, and nothing else",
    )
}
