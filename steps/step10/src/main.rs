//! step10: root inside, and nothing more.

use clap::Parser;
use step00::{Ending, ExitCode, Gate, Process, Result, Stage};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs a command in a container, in Docker's sense of the word
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
    #[command(flatten)] uts: step01::Args,
    #[command(flatten)] pid: step02::Args,
    #[command(flatten)] root: step03::Args,
    #[command(flatten)] overlay: step04::Args,
    #[command(flatten)] network: step05::Args,
    #[command(flatten)] user: step06::Args,
    #[command(flatten)] cgroup: step07::Args,
    #[command(flatten)] seccomp: step08::Args,
    #[command(flatten)] ipc: step09::Args,
    #[command(flatten)] privileges: step10::Args,
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step10::arguments(NAME)?))
}

fn run(mut args: Args) -> Result<Ending> {
    if args.seccomp.dump_seccomp {
        return step00::print(&step08::dump(&args.seccomp));
    }
    step10::prepare(&args.privileges)?;
    step04::defaults(&mut args.overlay, &mut args.process, &mut args.root)?;
    step10::default_user(&mut args.privileges, &args.overlay)?;
    let mut stage = Stage::new(NAME, &args.process);
    stage.blind(libc::CLONE_NEWUTS);
    stage.blind(libc::CLONE_NEWPID);
    stage.blind(libc::CLONE_NEWNS);
    stage.blind(libc::CLONE_NEWUSER);
    stage.blind(step09::namespace(&args.ipc));
    // What each rung has to do at a moment that only the stage can see.
    step01::set_stage(&mut stage);
    step02::set_stage(&mut stage, &args.pid);
    step03::set_stage(&mut stage, &args.root, &args.uts)?;
    step06::set_stage(&mut stage);
    step10::set_stage(&mut stage);
    let maps = step06::Maps::choose(&args.user)?;
    let mut image = step04::Image::open(&args.overlay, &args.root)?;
    step06::layers::adapt(&mut image, &maps)?;
    let volumes = step03::volumes::open_all(&args.root.volume)?;
    let connection = step06::connection(&args.user, &args.network)?;
    stage.blind(connection.namespace());
    image.own_files = connection.files(&args.uts.hostname, &args.network);
    let handcuffs = step07::put_on(&args.cgroup, &image, &volumes)?;
    step07::set_stage(&mut stage, &handcuffs);

    // What the launcher does while the new process waits at the gate.
    let outside = |it: &Process| step06::user::write_maps(it.pid, &maps);

    // And while that sets up its files.
    let meanwhile = |process: &Process| connection.connect(process);
    stage.hooks.meanwhile = Some(&meanwhile);

    // What the new process does before it executes the command.
    let inside = |gate: &Gate| {
        step06::user::become_root()?;
        step07::counts::limit()?;
        step09::blindfold(&args.ipc)?;
        step01::uts::set_hostname(&args.uts.hostname)?;
        step03::root::make_private()?;
        step03::volumes::hold_all(&volumes)?;
        let new_root = image.assemble(gate)?;
        step03::furnish(&new_root)?;
        step09::furnish(&args.ipc, &new_root)?;
        step10::mask(&args.privileges, &new_root)?;
        step03::volumes::attach_all(&volumes, &new_root)?;
        step03::root::pivot(&new_root)?;
        step03::settle_in(&args.root)?;
        connection.bring_up(gate)?;
        step08::install(&args.seccomp)?;
        step10::strip(&args.privileges)
    };

    let mut outcome = stage.run(outside, inside, step10::LEDGER)?;
    step04::report(&args.overlay, &image, &mut outcome);
    step07::report(&args.process, &handcuffs, &outcome);
    Ok(outcome.ending)
}
