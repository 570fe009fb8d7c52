//! Containers by what becomes of them.

use anyhow::Result;

use super::Challenge;
use crate::check::step12::{Bundle, Container, Place};
use crate::check::{Attempt, Causes, running};

/// All of step12.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("status", status)];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "`list` has no such flag yet: show.rs, `List`",
)];

fn status(attempt: &mut Attempt) -> Result<()> {
    let bundle = Bundle::new(attempt)?;
    let mut made = Vec::new();
    for id in ["waits", "runs"] {
        let report = bundle.create(id, &[])?;
        let what = format!("create makes a container, {id}");
        attempt.ended(&what, &report, 0, CAUSES, "create fails")?;
        made.push(Container::find(&bundle, id)?);
    }
    let [waits, runs] = ["waits", "runs"].map(|id| bundle.name(id));
    let report = running::run(bundle.command(&["start", &runs]))?;
    attempt.ended("one of them is started", &report, 0, CAUSES, "it fails")?;
    lists(attempt, &bundle, "created", &waits)?;
    lists(attempt, &bundle, "running", &runs)?;
    for container in &made {
        container.signal(nix::sys::signal::Signal::SIGKILL)?;
        container.comes_to(Place::Gone);
    }
    lists(attempt, &bundle, "running", "")?;
    lists(attempt, &bundle, "stopped", &format!("{runs}\n{waits}"))
}

fn lists(
    attempt: &mut Attempt,
    bundle: &Bundle,
    status: &str,
    names: &str,
) -> Result<()> {
    let words = ["list", "-q", "--status", status];
    let report = running::run(bundle.command(&words))?;
    let what = format!("list --status {status} names those, and no other");
    let mistake = "the status is asked for where `list` looks at each \
                   container: leave out those that have another one";
    if report.status != Some(0) {
        return attempt.ended(&what, &report, 0, CAUSES, mistake);
    }
    attempt.printed(&what, &report, names, CAUSES, mistake)
}
