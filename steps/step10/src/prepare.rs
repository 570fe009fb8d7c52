//! Before the process is made: what belongs to the launcher is kept out of the
//! container.

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::unistd::getpid;
use step00::{Advice, Gate, Stage};

use crate::{Args, home, keyring, labels, parse_user, sealed, streams};

/// First of all: keeps back what belongs to the launcher, and checks that the
/// kernel has the labels that are asked for.
///
/// # Errors
/// When stdin, stdout or stderr is a folder, when the program cannot be
/// sealed, and when this kernel lacks what a label needs.
pub fn prepare(args: &Args) -> Result<()> {
    keep_back()?;
    labels::check(args)
}

/// The image's own user, where no flag names one.
///
/// # Errors
/// When the image names one that cannot be.
pub fn default_user(args: &mut Args, overlay: &step04::Args) -> Result<()> {
    let Some(user) = &overlay.default_user else { return Ok(()) };
    if args.user.is_none() {
        let user = parse_user(user).map_err(anyhow::Error::msg);
        let user = user.context("read the user that the image names");
        args.user = Some(user.advice("--user names another one")?);
    }
    Ok(())
}

/// Sets the stage for a process that has left its powers behind.
pub fn set_stage(stage: &mut Stage<'_>) {
    stage.hooks.before_ready.push(stay_readable);
    stage.hooks.home = Some(home);
    stage.hooks.facts.push(("label", labels::at_execve));
}

/// A process that changes its user is not "dumpable" any more, and its files
/// in /proc belong to the machine's root (proc(5)). step06 has made it
/// dumpable again; with `--user` it changes its user once more, and a launcher
/// that is not root could not read the ledger.
///
/// Other processes in the container can then read this one's memory, a copy of
/// the launcher\x27s. Where this is the first one of its PID namespace there are
/// none yet. Where it is not, it stays as it is.
fn stay_readable(_: &Gate) -> Result<()> {
    match getpid().as_raw() {
        1 => prctl::set_dumpable(true).context("make /proc/PID readable"),
        _ => Ok(()),
    }
}

/// Runs from a sealed copy, without the caller's keys, and without a folder
/// that the caller has open as stdin.
pub fn keep_back() -> Result<()> {
    streams::check()?;
    sealed::enter()?;
    keyring::leave()
}
