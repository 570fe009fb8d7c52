//! `step11 cp`: files between the machine and a container that runs.
//!
//! What lies in a container, somebody in there has put there, and can exchange
//! it at any moment: a link to /etc/shadow, a pipe that nobody writes to. So
//! no path of the container is ever followed from outside. A second process
//! goes in, as `exec` does: its `/` is the container's, and it is the root of
//! in there, so that each path leads to what the container has, whatever it
//! says, and each file that it makes belongs there. It and the launcher hold
//! the ends of a pair of sockets, and one of them packs what the other one
//! unpacks (`stream.rs`).

mod make;
mod pack;
mod place;
mod stream;
mod unpack;

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use step00::{Advice, Doomed, Ending, Failure, Process, process};

use crate::exec::{hide, way_in};
use crate::{enter, state};

pub use place::Place;

/// The flags of `cp`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Copy what a link leads to, if the source is one
    #[arg(short = 'L', long)]
    pub follow_link: bool,

    /// What is copied: PATH, or CONTAINER:PATH; of PATH/. what is in it
    #[arg(value_name = "SOURCE")]
    pub source: Place,

    /// Where to: CONTAINER:PATH, or PATH; into it if it is a folder
    #[arg(value_name = "TARGET")]
    pub target: Place,
}

/// Copies, in either direction.
///
/// # Errors
/// When there is no such container, it does not run, or one of the two paths
/// is not what it should be; with what the kernel answered.
pub fn copy(args: &Args) -> Result<Ending> {
    step10::keep_back()?;
    let copied = match (&args.source, &args.target) {
        (Place::There(name, source), Place::Here(target)) => {
            out_of(name, source, target, args.follow_link)
        }
        (Place::Here(source), Place::There(name, target)) => {
            into(name, source, target, args.follow_link)
        }
        _ => Err(anyhow!("one of the two is in a container"))
            .advice("step11 cp FILE CONTAINER:/PATH, or the reverse"),
    };
    let (source, target) = (&args.source, &args.target);
    copied.with_context(|| format!("copy {source} to {target}"))?;
    Ok(Ending::Exited(0))
}

fn out_of(
    name: &str,
    source: &Path,
    target: &Path,
    follow: bool,
) -> Result<()> {
    // Nothing is packed for a target that cannot be.
    let target = unpack::Target::open(target)?;
    let (inside, socket) = go_in(name, |socket| {
        // A link at its end is not followed, nor what comes back by it.
        pack::pack(source, follow, socket)
    })?;
    let unpacked = target.unpack(&socket, behind_sudo());
    drop((socket, inside));
    unpacked
}

fn into(name: &str, source: &Path, target: &Path, follow: bool) -> Result<()> {
    let (inside, socket) = go_in(name, |socket| {
        unpack::Target::open(target)?.unpack(socket, None)?;
        stream::say(socket, &stream::Entry::End)
    })?;
    let packed = pack::pack(source, follow, &socket);
    let unpacked = match &packed {
        // Who does not listen any more has said why.
        Err(error) if !stream::is_broken(error) => Ok(()),
        _ => stream::hear_end(&socket),
    };
    drop(inside);
    unpacked.and(packed)
}

/// Has `work` done by a process in the container. An error of it goes through
/// the socket as well.
fn go_in(
    name: &str,
    work: impl FnOnce(&UnixStream) -> Result<()>,
) -> Result<(Doomed, UnixStream)> {
    let first = state::read(name)?.running()?;
    let target = way_in(first)?;
    let group =
        step07::place::group_of(target.pid)?.map(File::open).transpose();
    let group = group.context("open its group")?;
    let (ours, theirs) =
        UnixStream::pair().context("make a pair of sockets")?;
    // What is written to a container's memory counts as its own (step04).
    let group = group.as_ref().map(File::as_fd);
    let inside = process::fork(0, group).context("start a process for it")?;
    let Some(inside) = inside else {
        drop(ours);
        let done = become_one_of(&target).and_then(|()| work(&theirs));
        if let Err(error) = done {
            let message = Failure::from_error(&error).message;
            let _ = stream::say(&theirs, &stream::Entry::Failed(message));
        }
        // SAFETY: _exit takes no pointer, and runs no destructor of the
        // launcher's, of which this is a copy.
        unsafe { libc::_exit(0) }
    };
    Ok((Doomed(inside), ours))
}

/// Goes where the container's files are, as the root of in there. It has no
/// number there, so nobody inside can name it.
fn become_one_of(target: &Process) -> Result<()> {
    let (users, files) = (CloneFlags::CLONE_NEWUSER, CloneFlags::CLONE_NEWNS);
    // The machine's root may look through any process that it enters by, and
    // the root of in there not (an init is hidden). Without it, what setgroups
    // says is to be read in the machine's /proc.
    let (first, then) = match geteuid().is_root() {
        true => (users | files, CloneFlags::empty()),
        false => (users, files),
    };
    hide()?;
    enter::join(target, first)?;
    step06::user::become_user(0, 0, &[])?;
    hide()?;
    if !then.is_empty() {
        enter::join(target, then)?;
    }
    prctl::set_pdeathsig(Signal::SIGKILL).context("end with the launcher")
}

/// To whom files of root belong that somebody else has asked for.
fn behind_sudo() -> Option<(u32, u32)> {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    let person = number("SUDO_UID").zip(number("SUDO_GID"));
    person.filter(|_| geteuid().is_root())
}
