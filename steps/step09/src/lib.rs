//! step09: the IPC namespace, and the two that remain.
//!
//! It blinds to shared memory, semaphores and message queues of the machine,
//! to its tree of control groups and, if you like, to its uptime. With these
//! the process wears every blindfold that Linux has.
//!
//! Interface:
//!
//! - [`ipc`] - the primitive: queues, cgroup namespace, time namespace.
//! - [`Args`] - `--ipc`, `--boottime-offset`.
//! - [`ledger`] - what is its own, and by how much its uptime differs.
//!
//! POSIX shared memory (shm_open(3)) is not among these: it is files in
//! /dev/shm, which has been the container's own since step03.
//!
//! Still visible: whatever all share, like the date, the kernel and its
//! version. And root inside still has all of root's powers over what is its
//! own.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step09 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod ipc;
#[cfg(not(feature = "exercise"))]
pub mod ipc;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use step00::{Line, Mark, Subject};
use step03::tree::Tree;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step09: the last blindfolds")]
#[group(skip)]
pub struct Args {
    /// Shared memory, semaphores and queues of its own, or the machine's
    #[arg(long, value_enum, default_value_t = Kind::Private)]
    pub ipc: Kind,

    /// Let the uptime inside differ by so many seconds (`date` does not)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub boottime_offset: Option<i64>,
}

/// Whose System V and POSIX objects the process sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Its own
    Private,
    /// The machine's, /dev/shm included: no blindfold at all
    Host,
}

/// The blindfold: CLONE_NEWIPC, or none.
pub fn flags(args: &Args) -> u64 {
    match args.ipc {
        Kind::Private => libc::CLONE_NEWIPC as u64,
        Kind::Host => 0,
    }
}

/// Inside, while /proc is still the machine's: the two that are no flag.
pub fn blindfold(args: &Args) -> Result<()> {
    ipc::hide_groups()?;
    args.boottime_offset.map_or(Ok(()), ipc::shift_boottime)
}

/// Inside, with a /dev in the new root: the places where queues and shared
/// memory have names.
pub fn furnish(args: &Args, new_root: &Path) -> Result<()> {
    match args.ipc {
        Kind::Private => ipc::mount_queues(new_root),
        Kind::Host => {
            show(Path::new("/dev/shm"), &new_root.join("dev/shm"))?;
            show(Path::new("/dev/mqueue"), &new_root.join("dev/mqueue"))
        }
    }
}

/// A place of the machine that not every machine has.
fn show(source: &Path, target: &Path) -> Result<()> {
    if !source.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(target)
        .with_context(|| format!("make {}", target.display()))?;
    let target = File::open(target)?;
    Tree::open(source)?.attach(target.as_fd())
}

/// Reads its groups and its offset as this launcher sees them: from outside,
/// the one is a longer path, and the other can be read at all.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if process.is_apart("ipc")? {
        let text = "its own queues, semaphores and shared memory";
        lines.push(Line::new(Mark::Blind, "ipc", text));
    }
    if process.is_apart("cgroup")? {
        let text = match process.group()? {
            Some(group) => format!("its / is {group} here"),
            None => "its own tree".into(),
        };
        lines.push(Line::new(Mark::Blind, "cgroups", text));
    }
    if process.is_apart("time")? {
        let seconds = process.boottime_offset()?;
        let text = format!("its uptime differs by {seconds} s");
        lines.push(Line::new(Mark::Blind, "time", text));
    }
    Ok(lines)
}
