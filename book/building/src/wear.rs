//! A process that wears what it is told to, and nothing else. This is step10's
//! main.rs with an `if` before everything.

use clap::Parser;
use std::fs::File;
use std::os::fd::AsFd;
use step00::{Ending, Gate, Process, Result, Stage};

use crate::views::Worn;

const NAME: &str = "building";

/// The variable that says what to wear: the words of `views::PRIMITIVES`. On
/// the command line `ps` would show them.
pub const WEAR: &str = "WEAR";

/// The folder that becomes `/`.
pub const IMAGE: &str = "/srv/image";

/// By how much the uptime differs, in seconds.
pub const TEN_DAYS: i64 = 864_000;

/// Runs a command that wears any choice of the ladder
#[derive(Parser)]
#[rustfmt::skip]
struct Args {
    #[command(flatten)] process: step00::Args,
    #[command(flatten)] uts: step01::Args,
    #[command(flatten)] root: step03::Args,
    #[command(flatten)] overlay: step04::Args,
    #[command(flatten)] network: step05::Args,
    #[command(flatten)] user: step06::Args,
    #[command(flatten)] cgroup: step07::Args,
    #[command(flatten)] seccomp: step08::Args,
    #[command(flatten)] privileges: step10::Args,
}

pub fn run() -> Result<Ending> {
    let mut args: Args = step00::arguments(NAME);
    let worn = Worn::parse(&std::env::var(WEAR).unwrap_or_default())?;
    let on = |name| worn.has(name);
    args.root.rootfs = Some(IMAGE.into());
    args.process.quiet = true;
    if on("caps") {
        step10::prepare(&args.privileges)?;
    }
    let mut stage = Stage::new(NAME, &args.process);
    for (name, flag) in [
        ("uts", libc::CLONE_NEWUTS),
        ("pid", libc::CLONE_NEWPID),
        ("mount", libc::CLONE_NEWNS),
        ("user", libc::CLONE_NEWUSER),
        ("ipc", libc::CLONE_NEWIPC),
    ] {
        stage.blind(if on(name) { flag } else { 0 });
    }
    if on("mount") {
        step03::set_stage(&mut stage, &args.root, &args.uts)?;
    }
    let maps = step06::Maps::choose(&args.user)?;
    let mut image = step04::Image::open(&args.overlay, &args.root)?;
    if on("user") {
        step06::layers::adapt(&mut image, &maps)?;
    }
    if !on("network") {
        args.network.network = step05::Kind::Host;
    }
    let connection = step05::Connection::claim(&args.network)?;
    stage.blind(connection.namespace());
    let handcuffs = match on("cgroup") {
        true => step07::put_on(&args.cgroup, &image, &[])?,
        false => None,
    };
    step07::set_stage(&mut stage, &handcuffs);

    let outside = |process: &Process| {
        if on("user") {
            step06::user::write_maps(process.pid, &maps)?;
        }
        Ok(())
    };
    let meanwhile = |process: &Process| connection.connect(process);
    stage.hooks.meanwhile = Some(&meanwhile);
    let inside = |gate: &Gate| {
        if on("user") {
            step06::user::become_root()?;
        }
        if on("cgroupns") {
            step09::ipc::hide_groups()?;
        }
        if on("time") {
            step09::ipc::shift_boottime(TEN_DAYS)?;
        }
        if on("uts") {
            step01::uts::set_hostname(&args.uts.hostname)?;
        }
        connection.bring_up(gate)?;
        if on("mount") {
            move_in(&args, &worn, &image, gate)?;
        }
        if on("seccomp") {
            step08::install(&args.seccomp)?;
        }
        match on("caps") {
            true => step10::strip(&args.privileges),
            false => Ok(()),
        }
    };
    Ok(stage.run(outside, inside, &[])?.ending)
}

/// A root of its own: an overlay, or the image itself.
fn move_in(
    args: &Args,
    worn: &Worn,
    image: &step04::Image,
    gate: &Gate,
) -> Result<()> {
    step03::root::make_private()?;
    let new_root = match worn.has("overlay") {
        true => image.assemble(gate)?,
        // As step03 binds it onto itself, but with the owners that step06
        // has given to the layer.
        false => {
            let layer = &image.layers[0];
            layer.attach(File::open(&layer.path)?.as_fd())?;
            layer.path.clone()
        }
    };
    step03::furnish(&new_root)?;
    if worn.has("ipc") {
        step09::ipc::mount_queues(&new_root)?;
    }
    if worn.has("caps") {
        step10::mask(&args.privileges, &new_root)?;
    }
    step03::root::pivot(&new_root)?;
    step03::settle_in(&args.root)
}
