//! The last steps of the new process: at the gate, and through it.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use nix::sys::prctl;
use step00::unwritten::catch;
use step00::{Command, Failure, Gate, Stage, process};

use crate::gate;
use crate::launcher::agent::Agent;
use crate::launcher::claim::Claim;
use crate::launcher::hooks;

/// A stage for this command, with its home where it names none.
pub fn stage<'a>(name: &'static str, command: &Command) -> Stage<'a> {
    let arguments = command.arguments.clone();
    let quiet = step00::Args { quiet: true, command: arguments };
    let mut stage = Stage::new(name, &quiet);
    stage.command = command.clone();
    stage.hooks.home = Some(step10::home);
    stage
}

/// Lets the launcher go: the process does not die with it any more, and closes
/// the stage's gate, for whose end the launcher waits.
///
/// # Errors
/// None that is to be expected.
pub fn leave_launcher(stage_gate: &Gate) -> Result<()> {
    outlive_launcher(stage_gate)?;
    // SAFETY: nothing is sent through this gate after this, and the process
    // ends or executes another program without dropping it.
    unsafe { libc::close(stage_gate.as_fd().as_raw_fd()) };
    Ok(())
}

/// Takes back what step00 has asked for (PR_SET_PDEATHSIG(2const)).
///
/// # Errors
/// None that is to be expected.
pub fn outlive_launcher(_: &Gate) -> Result<()> {
    prctl::set_pdeathsig(None).context("outlive the launcher")
}

/// Waits at the gate, runs the last hooks, and executes the program. Nobody
/// listens any more but `start`, which reads `words` when it is through: what
/// goes wrong is told there, and not on the container's stderr.
///
/// # Errors
/// As for [`process::execute`], and of the hooks, if `words` can't be written.
pub fn go(
    gate: &File,
    mut words: &File,
    claim: &Claim<'_>,
    agent: &Agent<'_>,
    command: &Command,
) -> Result<Infallible> {
    let config = claim.config();
    let go = || {
        gate::wait(gate)?;
        let state = claim.describe(std::process::id() as i32)?;
        let last = &config.hooks.start_container;
        let process = config.process.as_ref();
        let env = process.map_or(&[][..], |process| &process.env);
        hooks::run_with("startContainer", last, env, &state)?;
        agent.filter_last(process.is_some_and(|it| it.no_new_privileges))?;
        process::execute(command)
    };
    let Err(error) = catch(go);
    let failure = Failure::from_error(&error);
    if words.write_all(failure.message.as_bytes()).is_ok() {
        // SAFETY: _exit takes no pointer, and runs no destructor of ours.
        unsafe { libc::_exit(failure.status.into()) }
    }
    Err(error)
}
