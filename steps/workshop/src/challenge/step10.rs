//! What makes root powerful is not the number 0.

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step10.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("no-root", no_root)];

const NO_NETWORK: [&str; 2] = ["--network", "none"];

const CAUSES: &Causes = &[
    (
        &["unexpected argument"],
        "the rung has no such flag yet: flags.rs, `Args`",
    ),
    (
        &["EPERM"],
        "the securebits take CAP_SETPCAP, which `set_capabilities` has taken \
         away by then: they come before it",
    ),
];

fn no_root(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(&NO_NETWORK, "", CAUSES)? else {
        return Ok(());
    };
    let usual = outside::status(running.pid, "CapBnd");
    attempt.same(
        "without the flag root has all that is left to it",
        outside::status(running.pid, "CapEff"),
        &usual,
        "only where the flag is given",
    )?;
    drop(running);
    let flags = [&NO_NETWORK[..], &["--no-root"]].concat();
    let Some(running) = attempt.start(&flags, "id -u", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "with it, it is user 0 as before",
        running.said.trim(),
        0,
        "the number stays: it is its powers that go",
    )?;
    for (set, mistake) in [
        (
            "CapEff",
            "at execve(2) the kernel gives user 0 every capability of the \
             bounding set, unless SECBIT_NOROOT is set (capabilities(7))",
        ),
        ("CapPrm", "the permitted set is full: SECBIT_NOROOT"),
    ] {
        attempt.same(
            &format!("its {set} is empty"),
            outside::status(running.pid, set),
            "0000000000000000",
            mistake,
        )?;
    }
    attempt.same(
        "and CapBnd is as it was: it is not what took them away",
        outside::status(running.pid, "CapBnd"),
        usual,
        "--cap-drop ALL does that; here the rule of execve(2) is changed",
    )
}
