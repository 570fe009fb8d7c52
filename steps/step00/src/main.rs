//! step00: a process, and nothing else.

use clap::Parser;
use step00::{Ending, ExitCode, Gate, Process, Result, Stage};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs a command with no isolation at all
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step00::arguments(NAME)))
}

fn run(args: Args) -> Result<Ending> {
    // It makes the process, holds it at a gate, and sees it through.
    let stage = Stage::new(NAME, &args.process);

    // What the launcher does while the new process waits at the gate.
    let outside = |_process: &Process| Ok(());

    // What the new process does before it executes the command.
    let inside = |_gate: &Gate| Ok(());

    let outcome = stage.run(outside, inside, step00::LEDGER)?;
    Ok(outcome.ending)
}
