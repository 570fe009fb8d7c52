//! step10: giving root's powers away.

use anyhow::Result;

use super::{Attempt, Causes, outside};

const FLAGS: &[&str] = &["--network", "none"];

/// The 14 capabilities that are left, as a mask: capability N is bit N.
const KEPT: &str = "00000000a80425fb";
/// net_bind_service alone.
const ONE: &str = "0000000000000400";
const NONE: &str = "0000000000000000";

const CAUSES: &Causes = &[
    (
        &["look for capability", "Invalid argument"],
        "`limit_bounding` goes past the last capability of this kernel: \
         EINVAL ends the loop",
    ),
    (
        &["ambient"],
        "an ambient capability must be permitted and inheritable already: \
         capset(2) comes first, with `inherited` as its third set",
    ),
    (
        &["drop capability"],
        "to change the bounding set takes CAP_SETPCAP: before capset(2)",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(FLAGS, "", CAUSES)? else {
        return Ok(());
    };
    let field = |name| outside::status(running.pid, name);
    attempt.same(
        "its bounding set has 14 capabilities, and no more",
        field("CapBnd"),
        KEPT,
        "`limit_bounding` leaves it whole: ask for each number, and drop it \
         unless `kept` has it",
    )?;
    attempt.same(
        "so has its effective set: CapEff",
        field("CapEff"),
        KEPT,
        "a set was computed but not applied: capset(2) gives it to the kernel",
    )?;
    for name in ["CapInh", "CapAmb"] {
        attempt.same(
            &format!("root has nothing that is inherited: {name}"),
            field(name),
            NONE,
            "`set_capabilities`: the third set of capset(2) is `inherited`, \
             and only its numbers are made ambient",
        )?;
    }
    attempt.same(
        "no_new_privs is set",
        field("NoNewPrivs"),
        1,
        "`forbid_new_privileges` must set it: a set-user-ID program would \
         give powers back",
    )?;
    drop(running);
    person(attempt)
}

/// A user other than root, with one power.
fn person(attempt: &mut Attempt) -> Result<()> {
    let flags =
        [FLAGS, &["--user", "1000", "--cap-add", "net_bind_service"]].concat();
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    for name in ["CapEff", "CapPrm", "CapAmb"] {
        attempt.same(
            &format!("user 1000 has the one that was asked for: {name}"),
            outside::status(running.pid, name),
            ONE,
            "another user's program starts with what is ambient: \
             `raise_ambient` for each number of `inherited`, after capset(2)",
        )?;
    }
    Ok(())
}
