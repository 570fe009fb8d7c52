//! What the launcher has open, and the container is not to have.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use anyhow::{Context, Result};
use step00::child::close_all_but;
use step10::{keyring, sealed, streams};

use super::Agent;
use crate::flags::Caller;

/// First of all: keeps back what belongs to the launcher (step10).
///
/// # Errors
/// As for [`step10::keep_back`].
pub fn keep_back(no_new_keyring: bool) -> Result<()> {
    streams::check()?;
    sealed::enter()?;
    match no_new_keyring {
        true => Ok(()),
        false => keyring::leave(),
    }
}

/// Inside, before the filter is put on: closes all but what is named, what the
/// filter's agent is told by, and what the caller passes on. (What is
/// close-on-exec among those is ours, and goes at execve(2).)
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub fn close(
    kept: &[&dyn AsFd],
    agent: &Agent<'_>,
    caller: &Caller,
) -> Result<()> {
    let kept = kept.iter().map(|it| it.as_fd().as_raw_fd());
    let preserved = 0..caller.preserve_fds as RawFd;
    let preserved = preserved.map(|number| number + 3);
    let all = kept.chain(agent.handover()).chain(preserved).map(Some);
    close_all_but(&all.collect::<Vec<_>>())
        .context("close what the launcher has open")
}
