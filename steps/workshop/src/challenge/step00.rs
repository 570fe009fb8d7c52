//! What survives execve(2): an alarm, and how nice a process is.

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step00.
pub const CHALLENGES: &[Challenge] =
    &[Challenge::new("alarm", alarm), Challenge::new("nice", nice)];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "the rung has no such flag yet: flags.rs, `Args`",
)];

fn alarm(attempt: &mut Attempt) -> Result<()> {
    let report = attempt.run(&["--alarm", "1"], "exec sleep 1000")?;
    attempt.ended(
        "--alarm 1 ends the command by SIGALRM: 128+14",
        &report,
        142,
        CAUSES,
        "the clock must be set in the new process, before execve(2): `inside`",
    )?;
    let handler = "trap 'exit 3' ALRM; sleep 1000 & wait";
    let report = attempt.run(&["--alarm", "1"], handler)?;
    attempt.ended(
        "a command that has a handler for SIGALRM ends as it likes",
        &report,
        3,
        CAUSES,
        "SIGALRM must reach the process that was made, and not a SIGKILL",
    )?;
    let report = attempt.run(&["--alarm", "1000"], "exit 7")?;
    let mistake = "it ends by itself, and nobody waits for the clock";
    let what = "a quicker command ends as ever";
    attempt.ended(what, &report, 7, CAUSES, mistake)
}

fn nice(attempt: &mut Attempt) -> Result<()> {
    let own = niceness(std::process::id() as i32);
    // setpriority(2) takes more than 19 for 19.
    let wanted = (own + 3).min(19);
    let flags = ["--nice", &wanted.to_string()];
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "the command has that niceness (proc_pid_stat(5), field 19)",
        niceness(running.pid),
        wanted,
        "setpriority(2), in the new process and before execve(2): `inside`",
    )?;
    attempt.same(
        "the launcher has its own, as before",
        niceness(running.launcher()),
        own,
        "it was set before the fork: the launcher is no nicer",
    )
}

/// The name, the second field, may have blanks in it.
fn niceness(pid: i32) -> i64 {
    let stat = outside::read(pid, "stat");
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let field = rest.split_whitespace().nth(19 - 3);
    field.and_then(|field| field.parse().ok()).unwrap_or(i64::MIN)
}
