//! A filter that tells, and refuses nothing.

use anyhow::Result;

use super::Challenge;
use crate::arch;
use crate::check::filter::{answer, named, of};
use crate::check::{Attempt, Causes, outside};

/// All of step08.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("log", log)];

const NO_NETWORK: [&str; 2] = ["--network", "none"];

const CAUSES: &Causes = &[(
    &["invalid value", "log"],
    "there is no such profile yet: flags.rs, `Profile`",
)];

fn log(attempt: &mut Attempt) -> Result<()> {
    let flags = [&NO_NETWORK[..], &["--seccomp", "log"]].concat();
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "the kernel filters its system calls (Seccomp: 2)",
        outside::status(running.pid, "Seccomp"),
        2,
        "a log takes a filter, too: profile.rs",
    )?;
    let filter = of(running.pid)?;
    let own = arch::here()?.audit;
    let say = |number: libc::c_long, from| {
        let answer = answer(&filter, from, number as u32);
        match answer {
            libc::SECCOMP_RET_LOG => "logged".into(),
            other => named(other),
        }
    };
    attempt.same(
        "mount(2) is let through, and leaves a line in the log",
        say(libc::SYS_mount, own),
        "logged",
        "SECCOMP_RET_LOG in place of the refusal (seccomp(2))",
    )?;
    attempt.same(
        "read(2) is allowed, and leaves none",
        say(libc::SYS_read, own),
        "allowed",
        "only the refusal changes, or the log would be of no use",
    )?;
    attempt.same(
        "a call of a foreign architecture is the end, as before",
        say(libc::SYS_read, arch::foreign()),
        "the process is killed",
        "its numbers mean something else: nothing is to be learnt from it",
    )?;
    drop(running);
    let Some(running) = attempt.start(&NO_NETWORK, "", CAUSES)? else {
        return Ok(());
    };
    let filter = of(running.pid)?;
    attempt.same(
        "without the flag mount(2) is refused, as before",
        named(answer(&filter, own, libc::SYS_mount as u32)),
        "EPERM",
        "the default profile stays the default",
    )
}
