//! `step11 wait`: until a container has ended, and how it did.

use anyhow::{Context, Result};
use step00::{Advice, Ending};

use crate::state::{self, Status, has_ended};
use crate::{Names, folder};

/// Waits for each in turn, and prints its exit status.
///
/// # Errors
/// When how it ended is not known: its launcher was killed, or `--rm` has
/// taken the record away.
pub fn wait(names: &Names) -> Result<Ending> {
    names.each_silently(|name| {
        let state = state::read(name)?;
        if let Some(process) = state.status().process() {
            has_ended(process, -1);
        }
        folder::settled(name)?;
        let gone = || format!("find how {name} has ended");
        let now = state::read(name)
            .with_context(gone)
            .advice("run it without --rm, which takes the record away")?;
        match now.status() {
            Status::Exited(ended) => {
                step00::print(&format!("{}\n", ended.status)).map(drop)
            }
            status => Err(anyhow::anyhow!("{}: {status}", gone())),
        }
    })
}
