//! What becomes of the kernel's answers shows where they are errors.

use std::process::Command;

use anyhow::Result;
use nix::errno::Errno;

use super::{FLAGS, GROUPS};
use crate::check::refuse::Refused;
use crate::check::{Attempt, running};

/// Looks at all of them.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // What is written where cannot be told by a filter, but its length can.
    let controller = "`enable` takes no notice when the kernel refuses a \
                      controller, or writes all of them in one line: write \
                      them one by one, each with its `?`, so that the error \
                      names the one";
    let number = "`limit` takes no notice of an error: the command would run \
                  without this limit";
    for (what, text, mistake) in [
        ("a controller is refused, alone", "+memory", controller),
        ("memory.max is refused", "268435456", number),
        ("cpu.max is refused", "100000 100000", number),
    ] {
        let arguments = &[(2, text.len() as u32)];
        let (call, errno) = (libc::SYS_write, Errno::EDOM);
        attempt.stops_when(
            &format!("when {what}, nothing runs"),
            FLAGS,
            &[Refused { call, arguments, errno }],
            mistake,
        )?;
    }
    taken(attempt)
}

/// A group of the very name that this launcher will choose. It may be another
/// launcher's, whose processes and limits are in it.
fn taken(attempt: &mut Attempt) -> Result<()> {
    let folder = format!("{GROUPS}/workshop");
    // The number of a process and its start stay what they are at execve(2).
    let script = "start=$(cut -d ' ' -f 22 /proc/$$/stat)
        mkdir -p \"$0\" \"$0/$$-$start\" && exec \"$@\"";
    let rung = attempt.command(FLAGS, "echo it ran all the same");
    let mut command = Command::new("sh");
    command.args(["-c", script, &folder]);
    command.arg(rung.get_program()).args(rung.get_args());
    let report = running::run(command)?;
    let has_run = report.stdout.contains("it ran");
    attempt.found(
        "when there is a group of its name, nothing runs",
        !has_run && report.status.is_some_and(|it| it != 0),
        report.words(),
        "an error of the launcher's: EEXIST",
        "`make` is content with a group that is there already, and that may \
         be another launcher's, with other limits: create_dir, not \
         create_dir_all",
    )
}
