//! The other name in a UTS namespace.

use std::fs;

use anyhow::{Context, Result};

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step01.
pub const CHALLENGES: &[Challenge] =
    &[Challenge::new("domainname", domainname)];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "the rung has no such flag yet: flags.rs, `Args`",
)];

fn domainname(attempt: &mut Attempt) -> Result<()> {
    let before = own_domain()?;
    let flags = ["--domainname", "checked.example"];
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "in there, the domain is the one that was asked for",
        outside::within(running.pid, "uts", own_domain)?,
        "checked.example",
        "setdomainname(2), in the new process, beside sethostname(2)",
    )?;
    attempt.same(
        "out here it is as before",
        own_domain()?,
        &before,
        "the name was set outside of the namespace",
    )?;
    drop(running);
    let Some(running) = attempt.start(&[], "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "without the flag it is the machine's, a copy",
        outside::within(running.pid, "uts", own_domain)?,
        before,
        "only where the flag is given is there anything to set",
    )
}

/// The kernel answers with the name of whoever reads.
fn own_domain() -> Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/domainname");
    Ok(name.context("ask for the domain name")?.trim_end().to_owned())
}
