//! What is read back of step01: two names for one machine.

use anyhow::{Context, Result};
use step00::{Line, Mark, Reader, Stage, Subject};

/// All readers of this rung's ledger.
pub const LEDGER: &[Reader] = &[step00::ledger::read, read];

/// Lets the process say what its name is.
pub fn set_stage(stage: &mut Stage<'_>) {
    stage.hooks.facts.push(("hostname", hostname));
}

/// Inside: what uname(2) answers there. No file of /proc shows it to other
/// processes: each reader sees the name of its own namespace.
///
/// # Errors
/// As for uname(2).
fn hostname() -> Result<String> {
    let name = nix::unistd::gethostname().context("read the hostname")?;
    Ok(name.to_string_lossy().into_owned())
}

/// Compares the two names, if the process has a namespace of its own.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let (inside, outside) = (process.fact("hostname"), hostname()?);
    let text = format!("{inside:?} inside, {outside:?} outside");
    Ok(match process.is_apart("uts")? {
        true => vec![Line::new(Mark::Blind, "hostname", text)],
        false => Vec::new(),
    })
}
