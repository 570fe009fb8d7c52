//! step00: fork, exec, wait.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};

use super::report::Report;
use super::running;
use super::scratch::Scratch;
use super::{Attempt, Causes, outside};

const CAUSES: &Causes = &[
    (
        &["ECHILD"],
        "exit_signal is 0 in `fork`: a child that sends nobody a signal is \
         not one that waitid(2) finds; it wants SIGCHLD",
    ),
    (
        &["panicked", "fd != -1"],
        "CLONE_PIDFD is missing in `fork`: the kernel has written no \
         descriptor to pidfd",
    ),
    (
        &["panicked", "-1"],
        "CLONE_PIDFD is missing in `fork`, or args.pidfd: the kernel has \
         written no descriptor to it",
    ),
    (
        &["execute sh", "ENOENT"],
        "`execute` gives up too early: ENOENT and ENOTDIR mean that the next \
         folder is to be tried",
    ),
    (
        &["EINVAL"],
        "clone3(2) was given a struct or a size that it does not know",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(&[], "", CAUSES)? else { return Ok(()) };
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
        "args.flags has more than the caller asked for: 0, here",
    )?;
    let ended = running.end()?;
    attempt.ended(
        "when its command is done, the launcher ends, with status 0",
        &ended,
        0,
        CAUSES,
        "`wait` takes another answer than an ending for the end",
    )?;
    statuses(attempt)?;
    search(attempt)
}

/// The end of a process is reported as it was.
fn statuses(attempt: &mut Attempt) -> Result<()> {
    let told = "`wait` does not return the ending that `reap` gave it";
    for (what, script, status) in [
        ("exit status 7 comes back as 7", "exit 7", 7),
        ("death by SIGTERM comes back as 128+15", "kill -TERM $$", 143),
    ] {
        let report = attempt.run(&[], script)?;
        attempt.ended(what, &report, status, CAUSES, told)?;
    }
    Ok(())
}

/// How a program is looked for in PATH.
fn search(attempt: &mut Attempt) -> Result<()> {
    let scratch = Scratch::new()?;
    for (name, mode) in [("first", 0o644), ("second", 0o755), ("empty", 0)] {
        let folder = scratch.join(name);
        fs::create_dir_all(&folder).context("make a folder")?;
        if mode != 0 {
            let program = folder.join("program");
            fs::write(&program, "#!/bin/sh\nexit 5\n")?;
            fs::set_permissions(&program, Permissions::from_mode(mode))?;
        }
    }
    let one_folder = "`execute` gives up too early: ENOENT, ENOTDIR and \
                      EACCES mean that the next folder is to be tried";
    let forgets = "`execute` reports what the last folder answered: EACCES \
                   is to be remembered, ENOENT is not";
    for (what, path, program, status, mistake) in [
        ("no such program: 127", "empty", "program", 127, forgets),
        (
            "it is looked for in the next folder too",
            "empty:second",
            "program",
            5,
            one_folder,
        ),
        (
            "a file that may not be executed is passed over",
            "first:second",
            "program",
            5,
            one_folder,
        ),
        (
            "if that was the only one: 126",
            "first:empty",
            "program",
            126,
            forgets,
        ),
    ] {
        let folders = path.split(':').map(|name| scratch.join(name));
        let report = run_with(attempt, folders, program)?;
        attempt.ended(what, &report, status, CAUSES, mistake)?;
    }
    Ok(())
}

fn run_with(
    attempt: &Attempt,
    folders: impl Iterator<Item = std::path::PathBuf>,
    program: &str,
) -> Result<Report> {
    let mut command = std::process::Command::new(attempt.binary());
    command.args(["-q", "--", program]);
    command.env("PATH", std::env::join_paths(folders)?);
    running::run(command)
}
