//! `step11 run`: step10, with a name and a record.
//!
//! `diff steps/step10/src/main.rs steps/step11/src/run.rs` shows what is new.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use step00::{Ending, Gate, Look, Process, Result, Stage};

use crate::detach::{Detached, detach};
use crate::log::Log;
use crate::record::Record;
use crate::state::{self, Ended, State};

/// All the flags of a container.
#[derive(Debug, clap::Args)]
#[rustfmt::skip]
#[allow(missing_docs, reason = "each is the rung's own, and described there")]
pub struct Args {
    #[command(flatten)] pub process: step00::Args,
    #[command(flatten)] pub uts: step01::Args,
    #[command(flatten)] pub pid: step02::Args,
    #[command(flatten)] pub root: step03::Args,
    #[command(flatten)] pub overlay: step04::Args,
    #[command(flatten)] pub network: step05::Args,
    #[command(flatten)] pub user: step06::Args,
    #[command(flatten)] pub cgroup: step07::Args,
    #[command(flatten)] pub seccomp: step08::Args,
    #[command(flatten)] pub ipc: step09::Args,
    #[command(flatten)] pub privileges: step10::Args,
    #[command(flatten)] pub record: crate::Args,
}

/// Runs a container to its end, or leaves it running.
pub fn run(name: &'static str, args: &Args) -> Result<Ending> {
    if args.seccomp.dump_seccomp {
        return step00::print(&step08::dump(&args.seccomp));
    }
    step10::prepare(&args.privileges)?;
    match args.record.detach {
        true => detach(|word| perform(name, args, Some(word))),
        false => perform(name, args, None),
    }
}

fn perform(
    name: &'static str,
    args: &Args,
    word: Option<&Detached>,
) -> Result<Ending> {
    let mut record = Record::claim(args.record.name.as_deref())?;
    let log = word.map(|_| Log::new(record.file("log"))).transpose()?;
    let mut stage = Stage::new(name, &args.process);
    stage.flags |= libc::CLONE_NEWUTS as u64;
    stage.flags |= libc::CLONE_NEWPID as u64;
    stage.flags |= libc::CLONE_NEWNS as u64;
    stage.flags |= libc::CLONE_NEWUSER as u64;
    stage.flags |= step09::flags(&args.ipc);
    stage.finale = step02::finale(&args.pid);
    step03::clean_environment(&mut stage, &args.root, &args.uts);
    let maps = step06::Maps::choose(&args.user)?;
    let mut image = step04::Image::open(&args.overlay, &args.root)?;
    step06::layers::adapt(&mut image, &maps)?;
    let volumes = step03::volumes::open_all(&args.root.volume)?;
    let network = step06::network(&args.user, &args.network)?;
    stage.flags |= network.flags();
    image.own_files = network.files(&args.uts.hostname, &args.network);
    let handcuffs = step07::lock(&args.cgroup, &image, &volumes)?;
    stage.cgroup = handcuffs.as_ref().map(step07::Handcuffs::folder);

    // What the launcher does while the new process waits at the gate.
    let outside = |process: &Process| {
        step06::user::write_maps(process.pid, &maps)?;
        network.plug_in(process)
    };

    // What the new process does before it executes the command.
    let inside = |gate: &Gate| {
        step06::user::become_root()?;
        step09::blindfold(&args.ipc)?;
        step01::uts::set_hostname(&args.uts.hostname)?;
        network.configure()?;
        step03::root::seclude()?;
        step03::volumes::hold_all(&volumes)?;
        let new_root = image.assemble(gate)?;
        step03::root::furnish(&new_root)?;
        step09::furnish(&args.ipc, &new_root)?;
        step03::volumes::attach_all(&volumes, &new_root)?;
        step03::root::pivot(&new_root)?;
        step10::mask(&args.privileges)?;
        step03::settle_in(&args.root)?;
        log.as_ref().map_or(Ok(()), Log::take_over)?;
        step08::install(&args.seccomp)?;
        step10::strip(&args.privileges)
    };

    let mut state = describe(&record, &stage, args)?;
    let running = stage.begin(outside, inside, LEDGER)?;
    let log = log.map(Log::keep).transpose()?;
    state.pid = running.process.pid.as_raw();
    // Without this, everybody would take it for another process, and dead.
    state.start = step07::start_time(state.pid as u32)
        .context("find when the container's process started")?;
    record.write(&state)?;
    word.map_or(Ok(()), |word| word.is_up(&state.name))?;

    let outcome = running.until_end()?;
    step04::report(&args.overlay, &image, &outcome)?;
    step07::report(&args.process, &handcuffs, &outcome);
    // Everybody in there is dead by now, so the log comes to its end.
    let _ = log.map(|thread| thread.join());
    let status = outcome.ending.status();
    state.ended = Some(Ended { status, at: now() });
    record.write(&state)?;
    Ok(outcome.ending)
}

/// What is written down, but for the process, which does not exist yet.
fn describe(record: &Record, stage: &Stage<'_>, args: &Args) -> Result<State> {
    let text = |text: &std::ffi::OsString| text.to_string_lossy().into_owned();
    let all: Vec<String> = std::env::args_os().map(|a| text(&a)).collect();
    // The program, the word `run`, the flags; then the command, as given.
    let flags = &all[2..all.len() - args.process.command.len()];
    Ok(State {
        name: record.name(),
        command: stage.command.arguments.iter().map(text).collect(),
        flags: flags.iter().filter(|flag| *flag != "--").cloned().collect(),
        detached: args.record.detach,
        remove: args.record.rm,
        created: now(),
        pid: 0,
        start: 0,
        launcher: nix::unistd::getpid().as_raw(),
        boot: state::boot().context("tell this boot from others")?,
        ended: None,
    })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Who reads what the ledger says back from the kernel.
#[rustfmt::skip]
const LEDGER: &[Look] = &[
    step01::ledger, step02::ledger, step03::ledger, step04::ledger,
    step05::ledger, step06::ledger, step07::ledger, step08::ledger,
    step09::ledger, step10::ledger,
];
