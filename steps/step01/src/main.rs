//! step01: blind to the host's name.

use clap::Parser;
use step00::{Ending, ExitCode, Look, Result, Stage};

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
    let mut stage = Stage::new(NAME, &args.process);
    stage.flags |= libc::CLONE_NEWUTS as u64;

    // What the launcher does while the new process waits at the gate.
    let outside = |_: &_| Ok(());

    // What the new process does before it executes the command.
    let inside = |_: &_| step01::uts::set_hostname(&args.uts.hostname);

    let outcome = stage.perform(outside, inside, LEDGER)?;
    Ok(outcome.ending)
}

/// Who reads what the ledger says back from the kernel.
#[rustfmt::skip]
const LEDGER: &[Look] = &[
    step01::ledger,
];
