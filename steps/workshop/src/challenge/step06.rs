//! Groups that nobody can give up.

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step06.
pub const CHALLENGES: &[Challenge] =
    &[Challenge::new("deny-setgroups", deny_setgroups)];

const NO_NETWORK: [&str; 2] = ["--network", "none"];

const CAUSES: &Causes = &[
    (
        &["unexpected argument"],
        "the rung has no such flag yet: flags.rs, `Args`",
    ),
    (
        &["setgroups", "EPERM"],
        "it is written too late: once the gid map is there, setgroups stays \
         as it is (user_namespaces(7))",
    ),
];

fn deny_setgroups(attempt: &mut Attempt) -> Result<()> {
    let setgroups = |pid| outside::read(pid, "setgroups").trim().to_owned();
    let flags = [&NO_NETWORK[..], &["--deny-setgroups"]].concat();
    let script = "id -u; id -g";
    let Some(running) = attempt.start(&flags, script, CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "setgroups(2) is denied in there",
        setgroups(running.pid),
        "deny",
        "write \"deny\" to /proc/PID/setgroups, from outside",
    )?;
    let map = outside::read(running.pid, "gid_map");
    attempt.found(
        "and it has its groups all the same",
        !map.trim().is_empty(),
        "an empty gid map",
        "a gid map",
        "the maps are to be written as before, after that",
    )?;
    attempt.same(
        "it is root inside",
        running.said.replace('\n', " "),
        "0 0 ",
        "the rest is as before: the process takes the number 0",
    )?;
    drop(running);
    let Some(running) = attempt.start(&NO_NETWORK, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "without the flag it is allowed, where root has written the maps",
        setgroups(running.pid),
        "allow",
        "only where the flag is given",
    )
}
