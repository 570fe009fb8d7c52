//! `step11 run`: step10's main.rs, with a name and a record.

use step00::{Ending, Gate, Process, Result, Stage};

use crate::detach::{Launcher, launch, restart::keep_up};
use crate::{Run, log::Log, pod::Pod, record::Record, volume};

/// Runs a container to its end, or leaves it running.
pub fn run(name: &'static str, args: &Run) -> Result<Ending> {
    if args.seccomp.dump_seccomp {
        return step00::print(&step08::dump(&args.seccomp));
    }
    step10::prepare(&args.privileges)?;
    launch(&args.record, |launcher| {
        keep_up(&args.record, |record| recorded(name, args, launcher, record))
    })
}

fn recorded(
    name: &'static str,
    args: &Run,
    launcher: &Launcher,
    record: &mut Record,
) -> Result<Ending> {
    let uts = args.record.hostname(&args.uts, record.name());
    let log = Log::new(record.folder()?, args.record.detach)?;
    let mut pod = Pod::find(args)?;
    let mut stage = Stage::new(name, &args.process);
    stage.blind(libc::CLONE_NEWUTS);
    stage.blind(libc::CLONE_NEWNS);
    stage.blind(pod.own_blindfolds());
    stage.blind(step09::namespace(&args.ipc));
    step01::set_stage(&mut stage);
    step02::set_stage(&mut stage, &args.pid);
    step03::set_stage(&mut stage, &args.root, &uts)?;
    step06::set_stage(&mut stage);
    step10::set_stage(&mut stage);
    pod.set_stage(&mut stage);
    let maps = pod.maps(&args.user)?;
    let mut image = step04::Image::open(&args.overlay, &args.root)?;
    step06::layers::adapt(&mut image, &maps)?;
    let volumes = volume::open_all(&args.root.volume, &maps)?;
    let connection = step06::connection(&args.user, &args.network)?;
    stage.blind(connection.namespace());
    image.own_files = connection.files(&uts.hostname, &args.network);
    let handcuffs = step07::put_on(&args.cgroup, &image, &volumes)?;
    step07::set_stage(&mut stage, &handcuffs);

    // What the launcher does while the new process waits at the gate.
    let outside = |process: &Process| pod.prepare(process, &maps);

    // And while that sets up its files.
    let meanwhile = |process: &Process| connection.connect(process);
    stage.hooks.meanwhile = Some(&meanwhile);

    // What the new process does before it executes the command.
    let inside = |gate: &Gate| {
        pod.become_root()?;
        step07::counts::limit()?;
        step09::blindfold(&args.ipc)?;
        step01::uts::set_hostname(&uts.hostname)?;
        step03::root::make_private()?;
        step03::volumes::hold_all(&volumes)?;
        let new_root = image.assemble(gate)?;
        step03::furnish(&new_root)?;
        pod.furnish(&args.ipc, &new_root)?;
        step10::mask(&args.privileges, &new_root)?;
        step03::volumes::attach_all(&volumes, &new_root)?;
        step03::root::pivot(&new_root)?;
        step03::settle_in(&args.root)?;
        connection.bring_up(gate)?;
        log.as_ref().map_or(Ok(()), Log::take_over)?;
        step08::install(&args.seccomp)?;
        step10::strip(&args.privileges)
    };

    let running = stage.start(outside, inside, pod.ledger())?;
    let log = log.map(Log::keep).transpose()?;
    let state = record.begin(&running, args, &connection)?;
    launcher.is_up(&state.name)?;

    let mut outcome = running.until_end()?;
    pod.end();
    // Before what the container could make long, or make fail.
    record.end(state, &outcome, &handcuffs, log);
    step04::report(&args.overlay, &image, &mut outcome);
    step07::report(&args.process, &handcuffs, &outcome);
    Ok(outcome.ending)
}
