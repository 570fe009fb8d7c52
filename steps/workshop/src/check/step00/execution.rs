//! `execute`: what it hands on, and where it looks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::CAUSES;
use crate::check::report::Report;
use crate::check::scratch::Scratch;
use crate::check::{Attempt, outside, running};

/// A program that needs nothing but its arguments.
pub(super) fn arguments(attempt: &mut Attempt) -> Result<()> {
    let report = attempt.run_program(&[], &["printf", "%s.%s", "a", "b"])?;
    attempt.printed(
        "the program gets its arguments, its own name first",
        &report,
        "a.b",
        CAUSES,
        "`execute` does not hand on the arguments as they are: execve(2) \
         takes all of `arguments`",
    )
}

/// What the process was started with, as the kernel has it.
pub(super) fn environment(attempt: &mut Attempt, pid: i32) -> Result<()> {
    let environment = outside::read(pid, "environ");
    let has = |text: &str| {
        environment.split('\0').any(|pair| pair.starts_with(text))
    };
    attempt.found(
        "it has the environment that it is to have",
        has("WORKSHOP_CHECK=it is seen") && has("PS1=step00"),
        format!("{} variables", environment.split('\0').count() - 1),
        "the launcher's, and PS1 for the prompt",
        "`execute` does not hand on the command's environment: execve(2) \
         takes `environment`, the third argument",
    )
}

struct Case {
    what: &'static str,
    path: &'static [&'static str],
    status: i32,
    mistake: &'static str,
}

const NO_CAUSE: &str = "`execute` must end in `cannot_execute`, which knows \
                        the exit statuses: ENOENT is 127, all others 126";

const CASES: &[Case] = &[
    Case {
        what: "no such program: 127",
        path: &["empty"],
        status: 127,
        mistake: NO_CAUSE,
    },
    Case {
        what: "it is looked for in the next folder too",
        path: &["empty", "second"],
        status: 5,
        mistake: "`execute` gives up too early: ENOENT means that the next \
                  folder is to be tried",
    },
    Case {
        what: "what is no folder at all is passed over",
        path: &["file", "second"],
        status: 5,
        mistake: "`execute` gives up too early: ENOTDIR, too, means that the \
                  next folder is to be tried",
    },
    Case {
        what: "a file that may not be executed is passed over",
        path: &["closed", "second"],
        status: 5,
        mistake: "`execute` gives up too early: EACCES means that the next \
                  folder is to be tried as well",
    },
    Case {
        what: "if that was the only one: 126",
        path: &["closed", "empty"],
        status: 126,
        mistake: "`execute` reports what the last folder answered: EACCES is \
                  to be remembered, ENOENT is not",
    },
    Case {
        what: "the first one that works is taken",
        path: &["second", "third"],
        status: 5,
        mistake: "`execute` does not try the folders in their order",
    },
    Case {
        what: "one that is no program at all ends the search: 126",
        path: &["plain", "second"],
        status: 126,
        mistake: "`execute` goes on after every error: ENOEXEC and all others \
                  mean that this is the program, and does not work. (And no \
                  shell is to read it, as execvp(3) has it.)",
    },
    Case {
        what: "and that is its error, not the next folder's",
        path: &["plain", "empty"],
        status: 126,
        mistake: "`execute` goes on after every error, and reports the last \
                  folder's ENOENT",
    },
];

/// How a program is looked for in PATH.
pub(super) fn search(attempt: &mut Attempt) -> Result<()> {
    let scratch = Scratch::new()?;
    for (folder, text, mode) in [
        ("closed", "#!/bin/sh\nexit 5\n", 0o644),
        ("second", "#!/bin/sh\nexit 5\n", 0o755),
        ("third", "#!/bin/sh\nexit 6\n", 0o755),
        ("plain", "no program\n", 0o755),
    ] {
        let program = scratch.join(folder).join("program");
        fs::create_dir_all(scratch.join(folder)).context("make a folder")?;
        fs::write(&program, text)?;
        fs::set_permissions(&program, Permissions::from_mode(mode))?;
    }
    fs::create_dir_all(scratch.join("empty")).context("make a folder")?;
    fs::write(scratch.join("file"), "")?;
    for case in CASES {
        let folders = case.path.iter().map(|name| scratch.join(name));
        let report = run_with(attempt, folders)?;
        let (what, status) = (case.what, case.status);
        attempt.ended(what, &report, status, &[], case.mistake)?;
    }
    Ok(())
}

fn run_with(
    attempt: &Attempt,
    folders: impl Iterator<Item = PathBuf>,
) -> Result<Report> {
    let mut command = Command::new(attempt.binary());
    command.args(["-q", "--", "program"]);
    command.env("PATH", std::env::join_paths(folders)?);
    running::run(command)
}
