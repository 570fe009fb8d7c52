//! step08: a filter for system calls.

use anyhow::Result;
use libc::sock_filter;

use super::filter::{answer, named, of};
use super::{Attempt, Causes, outside};
use crate::arch;

const FLAGS: &[&str] = &["--network", "none"];

const CAUSES: &Causes = &[
    (
        &["install the seccomp filter", "EINVAL"],
        "the kernel finds the program malformed: does `len` count \
         instructions, does every path end in an answer?",
    ),
    (
        &[],
        "the filter refuses what every program needs: look at the order of \
         the answers in `default_answer`, and at both ends of a `range`",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(FLAGS, "", CAUSES)? else {
        return Ok(());
    };
    let mode = outside::status(running.pid, "Seccomp");
    attempt.same(
        "the kernel filters its system calls (Seccomp: 2)",
        &mode,
        2,
        "the program was built but never installed: `install` must call \
         seccomp(2)",
    )?;
    if mode != "2" {
        return Ok(());
    }
    let filter = of(running.pid)?;
    calls(attempt, &filter)?;
    drop(running);
    let report = attempt.run(FLAGS, "mount -t tmpfs none /mnt 2>&1")?;
    attempt.found(
        "mount(8) inside is not permitted",
        report.status != Some(0) && report.status.is_some(),
        report.ending(),
        "an error",
        "what the table does not allow must be refused: `default_answer`",
    )
}

/// What the kernel's copy of the program answers.
fn calls(attempt: &mut Attempt, filter: &[sock_filter]) -> Result<()> {
    let (own, other) = (arch::here()?.audit, arch::foreign());
    let range = "one of the ranges is shut at one end: AT_LEAST its first \
                 and not GREATER than its last is what is allowed";
    let order = "`default_answer`: NEXT leads to the refusal, then come \
                 absent and allow";
    let unchecked = "the architecture is not checked: there, the same number is \
                another call";
    let absent = "clone3 is not among the calls that seem absent: `program` \
                  must ask for each of calls.absent";
    for (what, architecture, number, expected, mistake) in [
        ("read(2) is allowed", own, libc::SYS_read, "allowed", range),
        ("write(2) is allowed", own, libc::SYS_write, "allowed", range),
        ("mount(2) is refused", own, libc::SYS_mount, "EPERM", order),
        (
            "clone3(2) seems absent, so that libc takes clone(2)",
            own,
            libc::SYS_clone3,
            "ENOSYS",
            absent,
        ),
        (
            "a call that is newer than the table seems absent",
            own,
            60_000,
            "ENOSYS",
            "`default_answer`: GREATER than the newest call goes to ABSENT",
        ),
        (
            "a call of another architecture kills the process",
            other,
            libc::SYS_read,
            "the process is killed",
            unchecked,
        ),
    ] {
        let said = named(answer(filter, architecture, number as u32));
        attempt.same(what, said, expected, mistake)?;
    }
    Ok(())
}
