//! step11: walking back in.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::running::{self, Running};
use super::{Attempt, outside};

mod causes;
mod errors;

use causes::CAUSES;

/// The kinds that a command must share with the container.
const KINDS: [&str; 8] =
    ["uts", "pid", "mnt", "net", "user", "ipc", "cgroup", "time"];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let name = format!("check-{}", std::process::id());
    // In a container like those that the reference makes, with all of them.
    let flags =
        ["--name", &name, "--network", "none", "--boottime-offset", "60"];
    let started = attempt.start(&flags, "", CAUSES)?;
    let Some(first) = started else { return Ok(()) };
    errors::hold(attempt, &name, first.pid)?;
    let script = "echo begun\ncat >/dev/null";
    let command = exec(attempt, &name, &["sh", "-c", script]);
    let what = "exec starts a second command";
    // The process is made when the container's first one is held.
    let hangs_in = |_, pid| if pid == 0 { "open" } else { "join" };
    if let Some(second) =
        attempt.start_watched(what, command, CAUSES, hangs_in)?
    {
        together(attempt, &first, &second)?;
    }
    errors::look(attempt, &name)?;
    reused_number(attempt, &name)
}

fn exec(attempt: &Attempt, name: &str, program: &[&str]) -> Command {
    let mut command = Command::new(attempt.binary());
    command.args(["exec", name]).args(program);
    command
}

/// Two processes in the same container.
fn together(
    attempt: &mut Attempt,
    first: &Running,
    second: &Running,
) -> Result<()> {
    let link = |pid: i32, kind: &str| {
        outside::proc(pid).namespace(kind).unwrap_or_default()
    };
    let mut elsewhere = KINDS.to_vec();
    elsewhere.retain(|kind| link(first.pid, kind) != link(second.pid, kind));
    attempt.same(
        "the second command is in all namespaces of the first",
        elsewhere.join(" "),
        "",
        "`join` must hand `namespaces` to setns(2), all of it, with the pidfd \
         of `target`: those that are named above were left out",
    )?;
    let root = |pid: i32| outside::identity(format!("/proc/{pid}/root"));
    attempt.found(
        "both have the same /",
        root(first.pid)? == root(second.pid)?,
        "another /",
        "the container's",
        "`join` has not joined the mount namespace",
    )
}

/// The record names the right number, but the start of another process.
fn reused_number(attempt: &mut Attempt, name: &str) -> Result<()> {
    let path = format!("/run/workshop/{name}/state.json");
    let can_be_asked = errors::shows(attempt, name)?;
    let read = fs::read_to_string(&path);
    let text = read.with_context(|| format!("read {path}"))?;
    let mut state: serde_json::Value = serde_json::from_str(&text)?;
    ensure!(state.get("start").is_some(), "no start in {path}");
    state["start"] = 1.into();
    fs::write(&path, state.to_string()).context("write the record")?;
    let report = running::run(exec(attempt, name, &["true"]))?;
    let opened = !can_be_asked || errors::shows(attempt, name)?;
    fs::write(&path, text).context("write the record")?;
    attempt.found(
        "a process that has only the number is not entered",
        report.status.is_some_and(|status| status != 0),
        "it was entered",
        "an error",
        "`open` must compare step07::start_time with `start`: a number is \
         used again",
    )?;
    attempt.found(
        "it is held before it is looked at",
        opened,
        "its start was compared before pidfd_open(2) was called",
        "pidfd_open(2), and then the start",
        "`open` compares first and opens then: between the two the process \
         may end, and another one get its number. What is held keeps its \
         number",
    )
}
