//! `step11 prune`: forgets all that have ended.

use anyhow::Result;
use step00::Ending;

use crate::record;
use crate::state::Status;

/// The flags of `prune`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Do not ask first, as it never does
    #[arg(short, long)]
    pub force: bool,
}

/// Removes the record of each that has ended, and prints its name.
///
/// # Errors
/// When a record cannot be removed.
pub fn prune(_: &Args) -> Result<Ending> {
    for state in record::list()? {
        if matches!(state.status(), Status::Exited(_) | Status::Lost) {
            record::remove(&state.name)?;
            step00::print(&format!("{}\n", state.name))?;
        }
    }
    Ok(Ending::Exited(0))
}
