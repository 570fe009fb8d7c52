//! `step11 wait`: until a container has ended, and how it did.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use step00::Ending;

use crate::state::{self, Ended, State, Status, has_ended};
use crate::{Names, folder};

/// Waits for each in turn, and prints its exit status.
///
/// # Errors
/// When how it ended is not known, as its launcher was killed.
pub fn wait(names: &Names) -> Result<Ending> {
    names.each_silently(|name| {
        let state = state::read(name)?;
        let ended = match state.remove {
            true => last_words(&state)?,
            false => end_of(&state)?,
        };
        step00::print(&format!("{}\n", ended.status)).map(drop)
    })
}

fn end_of(state: &State) -> Result<Ended> {
    let name = &state.name;
    if let Some(process) = state.status().process() {
        has_ended(process, -1);
    }
    folder::settled(name)?;
    match state::read(name)?.status() {
        Status::Exited(ended) => Ok(ended),
        status => bail!("find how {name} has ended: {status}"),
    }
}

/// The same for one whose record goes with its end (`--rm`): its launcher
/// leaves it to us for as long as we have our share.
fn last_words(state: &State) -> Result<Ended> {
    let name = &state.name;
    let gone = || format!("find how {name} has ended");
    let folder = folder::find(name)?.with_context(gone)?;
    let _share = folder::share_end(&folder)?;
    if let Some(process) = state.status().process() {
        has_ended(process, -1);
    }
    loop {
        match state::read(name).with_context(gone)?.status() {
            Status::Exited(ended) => return Ok(ended),
            // Its launcher is about to write it down.
            Status::Ending => sleep(Duration::from_millis(3)),
            status => bail!("{}: {status}", gone()),
        }
    }
}
