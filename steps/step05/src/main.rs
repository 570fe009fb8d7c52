//! step05: blind to the host's network.

use clap::Parser;
use step00::{Ending, ExitCode, Gate, Process, Result, Stage};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs a command that has network interfaces of its own
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
    #[command(flatten)] uts: step01::Args,
    #[command(flatten)] pid: step02::Args,
    #[command(flatten)] root: step03::Args,
    #[command(flatten)] overlay: step04::Args,
    #[command(flatten)] network: step05::Args,
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step00::arguments(NAME)))
}

fn run(mut args: Args) -> Result<Ending> {
    // What an image says of itself, where the flags say nothing.
    step04::defaults(&mut args.overlay, &mut args.process, &mut args.root)?;
    // It makes the process, holds it at a gate, and sees it through.
    let mut stage = Stage::new(NAME, &args.process);
    stage.blind(libc::CLONE_NEWUTS);
    stage.blind(libc::CLONE_NEWPID);
    stage.blind(libc::CLONE_NEWNS);
    // What each rung has to do at a moment that only the stage can see.
    step01::set_stage(&mut stage);
    step02::set_stage(&mut stage, &args.pid);
    step03::set_stage(&mut stage, &args.root, &args.uts)?;
    let mut image = step04::Image::open(&args.overlay, &args.root)?;
    let volumes = step03::volumes::open_all(&args.root.volume)?;
    let connection = step05::Connection::claim(&args.network)?;
    stage.blind(connection.namespace());
    image.own_files = connection.files(&args.uts.hostname, &args.network);

    // What the launcher does while the new process waits at the gate.
    let outside = |_process: &Process| Ok(());

    // And while that sets up its files.
    let meanwhile = |process: &Process| connection.connect(process);
    stage.hooks.meanwhile = Some(&meanwhile);

    // What the new process does before it executes the command.
    let inside = |gate: &Gate| {
        step01::uts::set_hostname(&args.uts.hostname)?;
        step03::root::make_private()?;
        let new_root = image.assemble(gate)?;
        step03::furnish(&new_root)?;
        step03::volumes::attach_all(&volumes, &new_root)?;
        step03::root::pivot(&new_root)?;
        step03::settle_in(&args.root)?;
        connection.bring_up(gate)
    };

    let mut outcome = stage.run(outside, inside, step05::LEDGER)?;
    step04::report(&args.overlay, &image, &mut outcome);
    Ok(outcome.ending)
}
