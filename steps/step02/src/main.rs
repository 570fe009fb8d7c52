//! step02: blind to other processes.

use clap::Parser;
use step00::{Ending, ExitCode, Gate, Process, Result, Stage};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs a command that is PID 1 and knows of no other process
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
    #[command(flatten)] uts: step01::Args,
    #[command(flatten)] pid: step02::Args,
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step00::arguments(NAME)))
}

fn run(args: Args) -> Result<Ending> {
    // It makes the process, holds it at a gate, and sees it through.
    let mut stage = Stage::new(NAME, &args.process);
    stage.blind(libc::CLONE_NEWUTS);
    stage.blind(libc::CLONE_NEWPID);
    // What each rung has to do at a moment that only the stage can see.
    step01::set_stage(&mut stage);
    step02::set_stage(&mut stage, &args.pid);

    // What the launcher does while the new process waits at the gate.
    let outside = |_process: &Process| Ok(());

    // What the new process does before it executes the command.
    let inside = |_gate: &Gate| step01::uts::set_hostname(&args.uts.hostname);

    let outcome = stage.run(outside, inside, step02::LEDGER)?;
    Ok(outcome.ending)
}
