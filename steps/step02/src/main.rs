//! step02: blind to other processes.

use clap::Parser;
use step00::{Ending, ExitCode, Look, Result, Stage};

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
    let mut stage = Stage::new(NAME, &args.process);
    stage.flags |= libc::CLONE_NEWUTS as u64;
    stage.flags |= libc::CLONE_NEWPID as u64;
    stage.finale = step02::finale(&args.pid);

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
    step01::ledger, step02::ledger,
];
