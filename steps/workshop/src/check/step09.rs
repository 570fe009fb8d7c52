//! step09: the last three blindfolds.

use anyhow::Result;
use libc::{CLONE_NEWCGROUP, CLONE_NEWTIME, SYS_setns, SYS_unshare};
use nix::errno::Errno;

use super::refuse::Refused;
use super::{Attempt, outside};

mod causes;
mod queues;

use causes::CAUSES;

/// A day, an hour, a minute and a second.
const FLAGS: &[&str] = &["--network", "none", "--boottime-offset", "90061"];
/// The machine would have been started in the future.
const FUTURE: &[&str] =
    &["--network", "none", "--boottime-offset", "-86400000000"];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let command = attempt.command(FLAGS, "echo begun; cat >/dev/null");
    let what = "it starts, and executes its command";
    let started = attempt.start_watched(what, command, CAUSES, hangs_in)?;
    let Some(running) = started else { return Ok(()) };
    let pid = running.pid;
    for (kind, mistake) in [
        ("ipc", "main.rs sets CLONE_NEWIPC: was it changed?"),
        ("cgroup", "`hide_groups` must unshare(2) CLONE_NEWCGROUP"),
        (
            "time",
            "`shift_boottime` stays where it is: unshare(2) of `new_time` \
             only makes the namespace; setns(2) to ns/time_for_children \
             enters it",
        ),
    ] {
        attempt.found(
            &format!("it is in another {kind} namespace"),
            outside::is_apart(pid, kind),
            "the launcher's",
            "its own",
            mistake,
        )?;
    }
    uptime(attempt, pid)?;
    queues::look(attempt, pid)?;
    let ended = running.end()?;
    let mistake = "the command could not end by itself";
    attempt.ended("it ends with status 0", &ended, 0, CAUSES, mistake)?;
    errors(attempt)
}

/// Where it is when it comes no further.
fn hangs_in(_: i32, pid: i32) -> &'static str {
    let offsets = outside::read(pid, "timens_offsets");
    match outside::is_apart(pid, "cgroup") {
        false => "hide_groups",
        true if !offsets.contains("90061") => "shift_boottime",
        true => "mount_queues",
    }
}

/// Both clocks that can differ.
fn uptime(attempt: &mut Attempt, pid: i32) -> Result<()> {
    let offsets = outside::read(pid, "timens_offsets");
    let of = |clock: &str| {
        let line = offsets.lines().find(|line| line.starts_with(clock));
        let words = line.unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    attempt.same(
        "its uptime is 90061 seconds more than the machine's",
        of("boottime"),
        "boottime 90061 0",
        "`shift_boottime` must write \"boottime SECONDS 0\" to \
         /proc/self/timens_offsets, after unshare(2) and before setns(2)",
    )?;
    attempt.same(
        "and its other clock is the machine's",
        of("monotonic"),
        "monotonic 0 0",
        "`shift_boottime` shifts the wrong clock: boottime is the uptime",
    )
}

/// What becomes of the kernel's answers shows where they are errors; and who
/// does not ask does not stop.
fn errors(attempt: &mut Attempt) -> Result<()> {
    let cgroup = [(0, CLONE_NEWCGROUP as u32)];
    let time = [(0, CLONE_NEWTIME as u32)];
    let (enter, any) = ([(1, CLONE_NEWTIME as u32)], [(1, 0)]);
    let errno = Errno::EUSERS;
    let unshare = |arguments| Refused { call: SYS_unshare, arguments, errno };
    let setns = |arguments| Refused { call: SYS_setns, arguments, errno };
    attempt.stops_when(
        "when the kernel makes no cgroup namespace, nothing runs",
        FLAGS,
        &[unshare(&cgroup)],
        "`hide_groups` takes no notice of an error, or it is not \
         unshare(CLONE_NEWCGROUP) alone that it calls. If the flag was added \
         to the stage, the namespace is made in the launcher's group",
    )?;
    attempt.stops_when(
        "when the kernel makes no time namespace, nothing runs",
        FLAGS,
        &[unshare(&time)],
        "`shift_boottime` takes no notice of an error of unshare(2)",
    )?;
    attempt.stops_when(
        "when the kernel lets nobody enter it, nothing runs",
        FLAGS,
        &[setns(&enter), setns(&any)],
        "`shift_boottime` does not enter with setns(2), or takes no notice \
         of its error. A newer kernel enters at execve(2) whatever unshare(2) \
         has made, as this one may: an older one does not",
    )?;
    future(attempt)
}

/// An offset that the kernel does not take.
fn future(attempt: &mut Attempt) -> Result<()> {
    let report = attempt.run(FUTURE, "echo it ran")?;
    attempt.found(
        "when the machine would have been started in the future, nothing runs",
        report.stdout.is_empty() && report.status.is_some_and(|it| it != 0),
        "the command ran all the same",
        "an error of the launcher's: ERANGE",
        "`shift_boottime` takes no notice of an error of the file",
    )
}
