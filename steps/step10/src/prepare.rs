//! Before the process is made: what belongs to the launcher is kept out of the
//! container.

use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::prctl;
use nix::unistd::{Pid, getpid};
use step00::{Advice, Stage};

use crate::{Args, home, keyring, labels, parse_user, sealed, streams};

/// Reads the command line, in a program that nobody can write to: it starts
/// once more for that, and what comes before is done twice.
///
/// # Errors
/// As for [`sealed::enter`].
pub fn arguments<A: Parser>(rung: &'static str) -> Result<A> {
    sealed::enter()?;
    Ok(step00::arguments(rung))
}

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
    stage.hooks.before_ready.push(|_| stay_readable(getpid()));
    stage.hooks.home = Some(home);
    stage.hooks.facts.push(("label", labels::at_execve));
}

/// A process that changes its user is not "dumpable" any more, and its files
/// in /proc belong to the machine's root (proc(5)). step06 has made it
/// dumpable again; with `--user` it changes its user once more, and a launcher
/// that is not root could not read the ledger.
///
/// Other processes in the container can then read this one's memory, a copy of
/// the launcher's. Where this is the first one of its PID namespace there are
/// none yet. Where it is not, it stays as it is.
fn stay_readable(own: Pid) -> Result<()> {
    match own.as_raw() {
        1 => prctl::set_dumpable(true).context("make /proc/PID readable"),
        _ => Ok(()),
    }
}

/// Runs where nobody can write to the program, without the caller's keys, and
/// without a folder that the caller has open as stdin.
pub fn keep_back() -> Result<()> {
    streams::check()?;
    sealed::enter()?;
    keyring::leave()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_process_of_a_container_may_be_read() {
        let after = |pid| {
            prctl::set_dumpable(false).expect("be as after a change of user");
            stay_readable(Pid::from_raw(pid)).expect("make it readable");
            prctl::get_dumpable().expect("ask the kernel")
        };
        let [first, other] = [1, 2].map(after);
        prctl::set_dumpable(true).expect("be as before");
        assert!(first && !other, "{first} {other}");
    }
}
