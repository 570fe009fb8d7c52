//! A brake before the wall, and who is killed first.

use std::fs;

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step07.
pub const CHALLENGES: &[Challenge] = &[
    Challenge::with_groups("memory-high", memory_high),
    Challenge::new("oom-score", oom_score),
];

const NO_NETWORK: [&str; 2] = ["--network", "none"];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "the rung has no such flag yet: flags.rs, `Args`",
)];

fn memory_high(attempt: &mut Attempt) -> Result<()> {
    let flags = [&NO_NETWORK[..], &["--memory-high", "32M"]].concat();
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    for (file, expected, mistake) in [
        (
            "memory.high",
            "33554432",
            "write the bytes to memory.high, where the other limits are \
             written",
        ),
        ("memory.max", "268435456", "the wall stays where it was"),
    ] {
        let what = format!("its {file} is {expected}");
        let found = of_group(running.pid, file);
        attempt.same(&what, found, expected, mistake)?;
    }
    drop(running);
    let Some(running) = attempt.start(&NO_NETWORK, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "without the flag there is no brake",
        of_group(running.pid, "memory.high"),
        "max",
        "only where the flag is given is there anything to write",
    )
}

fn of_group(pid: i32, file: &str) -> String {
    let group = outside::proc(pid).group().ok().flatten();
    let group = group.unwrap_or_default();
    let path = format!("/sys/fs/cgroup{group}/{file}");
    let read = fs::read_to_string(path);
    read.unwrap_or_else(|error| error.to_string()).trim().to_owned()
}

fn oom_score(attempt: &mut Attempt) -> Result<()> {
    let score = |pid| {
        let text = outside::read(pid, "oom_score_adj");
        text.trim().parse::<i32>().unwrap_or(i32::MIN)
    };
    let own = score(std::process::id() as i32);
    let flags = [&NO_NETWORK[..], &["--oom-score-adj", "777"]].concat();
    let script = "cat /proc/self/oom_score_adj";
    let Some(running) = attempt.start(&flags, script, CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "the command has that oom_score_adj",
        score(running.pid),
        777,
        "write it to /proc/self/oom_score_adj, in the new process: `inside`",
    )?;
    attempt.same(
        "what it starts inherits that",
        running.said.trim(),
        "777",
        "it has to be there before execve(2)",
    )?;
    attempt.same(
        "the launcher has its own, as before",
        score(running.launcher()),
        own,
        "it was written in the launcher: /proc/self is whoever writes",
    )
}
