//! step00: fork, exec, wait.
//!
//! In the order of the exercise: [`fork`] by itself, then `execute`
//! ([`execution`]) in the process that `fork` makes, and then [`wait`].

mod execution;
mod fork;
mod question;
mod wait;

use anyhow::Result;

use super::{Attempt, Causes, outside};

/// What the words of `execute` say, when nothing was executed.
const CAUSES: &Causes = &[
    (
        &["overflowed its stack"],
        "`execute` calls itself, again and again: execve(2) of nix is \
         `execve`",
    ),
    (
        &["not yet implemented"],
        "`execute` has a todo!() left, at the line that is named",
    ),
    (
        &["panicked at"],
        "`execute` panics, at the line that is named: an error is to be \
         looked at, not unwrapped",
    ),
    (
        &["ENOENT"],
        "`execute` gives up too early: ENOENT and ENOTDIR mean that the next \
         folder is to be tried",
    ),
    (&["EFAULT"], "`execute` gives the kernel an address at which nothing is"),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    fork::look(attempt)?;
    execution::arguments(attempt)?;
    let mut command = attempt.command(&[], "echo begun; cat >/dev/null");
    command.env("WORKSHOP_CHECK", "it is seen");
    let what = "it starts, and executes its command";
    let Some(running) = attempt.start_command(what, command, CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "it is a child of the launcher's, and another process",
        outside::status(running.pid, "PPid"),
        running.launcher(),
        "`fork` must return in two processes: answer 0 is the child's",
    )?;
    let apart = ["uts", "pid", "mnt", "net", "user", "ipc", "cgroup", "time"];
    let apart =
        apart.iter().filter(|kind| outside::is_apart(running.pid, kind));
    let apart: Vec<&str> = apart.copied().collect();
    attempt.same(
        "it is in all namespaces that the launcher is in",
        apart.join(" "),
        "",
        "`fork`: args.flags has more than the caller asked for: 0, here",
    )?;
    execution::environment(attempt, running.pid)?;
    wait::look(attempt)?;
    let ended = running.end()?;
    attempt.ended(
        "when its command is done, the launcher ends, with status 0",
        &ended,
        0,
        &[],
        "`wait` takes another answer than an ending for the end",
    )?;
    statuses(attempt)?;
    execution::search(attempt)
}

/// The end of a process is reported as it was.
fn statuses(attempt: &mut Attempt) -> Result<()> {
    let told = "`wait` does not return the ending that `reap` gave it";
    for (what, script, status) in [
        ("exit status 7 comes back as 7", "exit 7", 7),
        ("death by SIGTERM comes back as 128+15", "kill -TERM $$", 143),
    ] {
        let report = attempt.run(&[], script)?;
        attempt.ended(what, &report, status, &[], told)?;
    }
    Ok(())
}
