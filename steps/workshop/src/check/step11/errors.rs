//! What becomes of the kernel's answers shows where they are errors.

use anyhow::Result;
use nix::errno::Errno;

use super::{causes::MINUS_ONE, exec};
use crate::check::refuse::{Refused, refuse};
use crate::check::report::Report;
use crate::check::{Attempt, running};

/// What `join` is given, apart from the PID namespace, which has been joined.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWTIME,
];

const OPEN_HANGS: &str = "`open` waits for ever, or goes round in circles";

/// Looks at `open`, before anything is joined: it must have asked for this
/// process, and the kernel's answer must count.
pub fn hold(attempt: &mut Attempt, name: &str, pid: i32) -> Result<()> {
    let (call, errno) = (libc::SYS_pidfd_open, Errno::EMFILE);
    let arguments = &[(0, pid as u32)];
    let report =
        refused(attempt, name, &[Refused { call, arguments, errno }])?;
    // What step11 says when `open` has returned an error.
    let said = ["see if ", "does not run"];
    let is_met = said.iter().any(|said| report.stderr.contains(said));
    let mistake = "`open` takes no notice of an error (-1 is no descriptor, \
                   `Errno::result` makes a Result of it), or it takes hold of \
                   another process than `pid`";
    attempt.found(
        "when the kernel gives no descriptor of it, nothing runs",
        is_met,
        report.words(),
        "an error of `open`",
        &match report.status {
            Some(_) => report.likely(MINUS_ONE, mistake),
            None => report.likely(MINUS_ONE, OPEN_HANGS),
        },
    )
}

/// Looks at `join`.
pub fn look(attempt: &mut Attempt, name: &str) -> Result<()> {
    let errno = Errno::EPERM;
    let each = NAMESPACES.map(|flag| [(1, flag as u32)]);
    let setns =
        |arguments| Refused { call: libc::SYS_setns, arguments, errno };
    let each: Vec<Refused<'_>> = each.iter().map(|it| setns(it)).collect();
    let report = refused(attempt, name, &each)?;
    attempt.ended(
        "it is one call that joins them",
        &report,
        0,
        &[],
        "`join` joins one namespace after the other: one call of setns(2) \
         takes them all, and then their order is no matter",
    )?;
    let all = [(1, NAMESPACES.iter().fold(0, |all, flag| all | flag) as u32)];
    stops(
        attempt,
        "when the kernel lets nobody join, nothing runs",
        &refused(attempt, name, &[setns(&all)])?,
        "`join` takes no notice of an error: the command would run outside",
    )
}

fn stops(
    attempt: &mut Attempt,
    what: &str,
    report: &Report,
    mistake: &str,
) -> Result<()> {
    let has_run = report.stdout.contains("it ran");
    let has_stopped = report.status.is_some_and(|it| it != 0);
    let found = report.words();
    let is_met = has_stopped && !has_run && !found.contains("panicked");
    attempt.found(what, is_met, found, "an error of the launcher's", mistake)
}

/// Does an error of pidfd_open(2) show, and is none of another process? Where
/// the record has another start, that tells which of the two came first. (Who
/// hides what the kernel has answered cannot be asked.)
pub fn shows(attempt: &Attempt, name: &str) -> Result<bool> {
    let (call, errno) = (libc::SYS_pidfd_open, Errno::EMFILE);
    let refused =
        refused(attempt, name, &[Refused { call, arguments: &[], errno }]);
    Ok(!refused?.stderr.contains("does not run"))
}

fn refused(
    attempt: &Attempt,
    name: &str,
    refused: &[Refused<'_>],
) -> Result<Report> {
    let mut command = exec(attempt, name, &["echo", "it ran"]);
    refuse(&mut command, refused);
    running::run(command)
}
