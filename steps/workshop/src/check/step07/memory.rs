//! What happens at the limit of memory.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::causes::CAUSES;
use super::{GROUPS, LIMITS, OTHERS, WRITTEN_DOWN, group_of, limit};
use crate::check::{Attempt, outside};

/// How long it may take until the memory is full.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes more memory than it may, and looks at the group before it is removed.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // tail keeps in memory what it may have to print.
    let hog = "echo begun; read go
        head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null";
    let what = "it starts with --memory 16M --cpus 0.5 --pids 21";
    let command = attempt.command(OTHERS, hog);
    let started = attempt.start_command(what, command, CAUSES)?;
    let Some(mut running) = started else { return Ok(()) };
    let group = group_of(running.pid);
    for (file, _, expected, _) in LIMITS {
        limit(attempt, &group, file, expected, WRITTEN_DOWN)?;
    }
    let events = format!("{GROUPS}{group}/memory.events");
    // A launcher that is stopped does not remove the group.
    let launcher = Pid::from_raw(running.launcher());
    kill(launcher, Signal::SIGSTOP).context("stop the launcher")?;
    running.say("go")?;
    let is_killed = || count(&events, "oom_kill") > 0;
    let start = Instant::now();
    let is_dead = || outside::status(running.pid, "State").starts_with('Z');
    while !is_dead() && start.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
    }
    let told = fs::read_to_string(&events).unwrap_or_default();
    let is_met = is_killed();
    kill(launcher, Signal::SIGCONT).context("go on")?;
    attempt.found(
        "when it uses more, the kernel counts an oom_kill: memory.events",
        is_met,
        told,
        "oom_kill above 0",
        "`limit`: the limit does not hold: memory.max, and no swap",
    )?;
    attempt.ended(
        "and the launcher tells of it: 128+9",
        &running.end()?,
        137,
        CAUSES,
        "`limit`: without memory.oom.group the shell may have survived",
    )
}

/// A number out of a file with one on each line.
fn count(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let value = lines.find(|(field, _)| *field == name);
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
