//! step07: a control group with limits.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, anyhow};
use step00::Advice;
use step07::place::WITHOUT_VERSION_2;

use super::{Attempt, outside};

mod causes;
mod errors;
mod memory;

use causes::{CAUSES, NOT_HANDED_ON};

const FLAGS: &[&str] = &["--network", "none"];
/// Limits of which none is what it would be without a flag.
const OTHERS: &[&str] =
    &["--network", "none", "--memory", "16M", "--cpus", "0.5", "--pids", "21"];
const GROUPS: &str = "/sys/fs/cgroup";

/// A limit that comes so long after the process began comes too late.
const LATE: Duration = Duration::from_secs(3);
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
    memory::look(attempt)
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

/// The path of the group that a process is in.
fn group_of(pid: i32) -> String {
    let group = outside::proc(pid).group().ok().flatten();
    group.unwrap_or_else(|| "/".into())
}
