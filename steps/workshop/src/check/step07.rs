//! step07: a control group with limits.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use step00::Advice;
use step07::place::WITHOUT_VERSION_2;

use super::{Attempt, outside};

mod causes;
mod errors;

use causes::{CAUSES, NOT_HANDED_ON};

const FLAGS: &[&str] = &["--network", "none"];
/// Limits of which none is what it would be without a flag.
const OTHERS: &[&str] =
    &["--network", "none", "--memory", "16M", "--cpus", "0.5", "--pids", "21"];
const GROUPS: &str = "/sys/fs/cgroup";

/// A limit that comes so long after the process began comes too late.
const LATE: Duration = Duration::from_secs(3);
/// How long it may take until the memory is full.
const PATIENCE: Duration = Duration::from_secs(60);
const TOO_LATE: &str = "`limit` must have written all when it returns: this \
                        was written after execve(2), and by then the process \
                        may have used what it likes";
const WRITTEN_DOWN: &str = "`limit` has a number of its own: `limits` has the \
                            texts, and the flags are in them";

/// What is written without any flag, and with OTHERS, and the mistake if it is
/// not there.
const LIMITS: [(&str, &str, &str, &str); 5] = [
    (
        "memory.max",
        "268435456",
        "16777216",
        "`limit` must write memory.max; memory.high only slows a group down",
    ),
    (
        "memory.swap.max",
        "0",
        "0",
        "`limit` must write 0 to memory.swap.max: swap is left free, and the \
         group would swap, slowly and for ever, and never be stopped",
    ),
    (
        "memory.oom.group",
        "1",
        "1",
        "`limit` must write 1 to memory.oom.group: without it the OOM killer \
         takes one process, and leaves the rest",
    ),
    (
        "cpu.max",
        "100000 100000",
        "50000 100000",
        "`limit` must write cpu.max, with the text that `limits` has",
    ),
    (
        "pids.max",
        "128",
        "21",
        "`limit` must write pids.max: nothing stops a fork bomb otherwise",
    ),
];

/// Does this machine have the groups that step07 is about?
///
/// # Errors
/// It does not; the message says what to do about that.
pub fn is_possible() -> Result<()> {
    if Path::new(GROUPS).join("cgroup.controllers").exists() {
        return Ok(());
    }
    let error = anyhow!(
        "control groups are those of version 1 here, and step07 does without"
    );
    Err(error).advice(WITHOUT_VERSION_2)
}

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let command = attempt.command(FLAGS, "echo begun; cat >/dev/null");
    let what = "it starts, and executes its command";
    let started = attempt.start_watched(what, command, CAUSES, hangs_in)?;
    let Some(running) = started else { return Ok(()) };
    let group = group_of(running.pid);
    attempt.found(
        "it was born in a group of its own",
        group.starts_with("/workshop/"),
        &group,
        "/workshop/NAME",
        "`make` must open the folder of the very group that it has made: the \
         process is born in the group whose folder it returns \
         (CLONE_INTO_CGROUP in `fork`, step00, sees to that)",
    )?;
    for (file, expected, _, mistake) in LIMITS {
        limit(attempt, &group, file, expected, mistake)?;
    }
    drop(running);
    errors::look(attempt)?;
    // Without its limits, which are met by now, it would take all the memory
    // that there is.
    out_of_memory(attempt)
}

/// Where it is when it comes no further.
fn hangs_in(launcher: i32, _: i32) -> &'static str {
    let parent = Path::new(GROUPS).join("workshop");
    let handed_on = fs::read_to_string(parent.join("cgroup.subtree_control"));
    let own = format!("{launcher}-");
    let names = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut names = names.map(|entry| entry.file_name());
    match handed_on.unwrap_or_default().contains("pids") {
        false => "enable",
        true if names.any(|it| it.to_string_lossy().starts_with(&own)) => {
            "limit"
        }
        true => "make",
    }
}

/// One of its files.
fn limit(
    attempt: &mut Attempt,
    group: &str,
    file: &str,
    expected: &str,
    mistake: &str,
) -> Result<()> {
    let path = format!("{GROUPS}{group}/{file}");
    let path = Path::new(&path);
    if file.contains("swap") && !path.exists() {
        return Ok(()); // a kernel without swap
    }
    let cannot = match file.contains("swap") {
        true => {
            " (a kernel without swap lacks this file: not to be seen here)"
        }
        false => "",
    };
    let what = format!("its {file} is {expected}{cannot}");
    let read = || fs::read_to_string(path);
    let text = match read() {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) => {
            let found = error.to_string();
            return attempt.same(&what, found, expected, NOT_HANDED_ON);
        }
    };
    let is_late = || {
        sleep(LATE);
        read().is_ok_and(|text| text.trim_end() == expected)
    };
    let mistake = match text == expected || !is_late() {
        true => mistake,
        false => TOO_LATE,
    };
    attempt.same(&what, text, expected, mistake)
}

/// Takes more memory than it may, and looks at the group before it is removed.
fn out_of_memory(attempt: &mut Attempt) -> Result<()> {
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

/// The path of the group that a process is in.
fn group_of(pid: i32) -> String {
    let group = outside::proc(pid).group().ok().flatten();
    group.unwrap_or_else(|| "/".into())
}
