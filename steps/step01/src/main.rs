//! step01: blind to the host's name.

use clap::Parser;
use step00::{Ending, ExitCode, Gate, Process, Result, Stage};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs a command that has a hostname of its own
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
    #[command(flatten)] uts: step01::Args,
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step00::arguments(NAME)))
}

fn run(args: Args) -> Result<Ending> {
    // It makes the process, holds it at a gate, and sees it through.
    let mut stage = Stage::new(NAME, &args.process);
    stage.blind(libc::CLONE_NEWUTS);
    // What each rung has to do at a moment that only the stage can see.
    step01::set_stage(&mut stage);

    // What the launcher does while the new process waits at the gate.
    let outside = |_process: &Process| Ok(());

    // What the new process does before it executes the command.
    let inside = |_gate: &Gate| step01::uts::set_hostname(&args.uts.hostname);

    let outcome = stage.run(outside, inside, step01::LEDGER)?;
    Ok(outcome.ending)
}
