//! step07: control groups.
//!
//! The handcuffs: not what a process can see but what it can use. The kernel
//! counts memory, CPU time, processes and disk traffic of a whole group, and
//! stops the group at its limit.
//!
//! Interface:
//!
//! - [`cgroup`] - the primitive: hand on controllers, write limits.
//! - [`limits`] - what the flags mean in the kernel's words.
//! - [`place`] - where on this machine a group can be made.
//! - [`Handcuffs`] - a group, its report, and its removal.
//! - [`Args`] - `--memory`, `--cpus`, `--pids`, `--io-read`, `--io-write`,
//!   `--cpuset`.
//! - [`ledger`] - the limits of the process's group.
//!
//! Not promised: limits on a machine with cgroup v1. Still open: the process
//! may ask the kernel for anything.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step07 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod cgroup;
#[cfg(not(feature = "exercise"))]
pub mod cgroup;

pub mod limits;
pub mod place;

mod handcuffs;

use std::fs;
use std::path::Path;

use anyhow::Result;
use step00::{Line, Mark, Outcome, Subject};
use step03::volumes::Volume;
use step04::Image;

pub use handcuffs::{Handcuffs, last_resort, leftovers, start_time, sweep};
use limits::{Bytes, Cpus, Pids, human};
use place::Place;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step07: the limits")]
#[group(skip)]
pub struct Args {
    /// Memory in bytes, K, M, G, without swap; or max [default: 256M]
    #[arg(long, value_name = "BYTES", value_parser = Bytes::parse_memory)]
    pub memory: Option<Bytes>,

    /// CPU time per time, 1 is one CPU; or max [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = Cpus::parse)]
    pub cpus: Option<Cpus>,

    /// Processes and threads at once; or max [default: 128]
    #[arg(long, value_name = "NUMBER", value_parser = Pids::parse)]
    pub pids: Option<Pids>,

    /// Bytes read per second, from the disks of --upper and --volume
    #[arg(long, value_name = "BYTES/S", value_parser = Bytes::parse)]
    pub io_read: Option<Bytes>,

    /// Bytes written per second, to the same disks
    #[arg(long, value_name = "BYTES/S", value_parser = Bytes::parse)]
    pub io_write: Option<Bytes>,

    /// On which CPUs it may run: 0, 0-3, 0,2
    #[arg(long, value_name = "LIST")]
    pub cpuset: Option<String>,
}

impl Args {
    fn asks_for_limits(&self) -> bool {
        self.memory.is_some()
            || self.cpus.is_some()
            || self.pids.is_some()
            || self.asks_for_io()
            || self.cpuset.is_some()
    }

    fn asks_for_io(&self) -> bool {
        self.io_read.is_some() || self.io_write.is_some()
    }

    /// The controllers that the limits need.
    fn controllers(&self) -> Vec<&'static str> {
        let mut controllers = vec!["memory", "cpu", "pids"];
        controllers.extend(self.asks_for_io().then_some("io"));
        controllers.extend(self.cpuset.is_some().then_some("cpuset"));
        controllers
    }
}

/// Makes the group of a container, or none where the machine has no place
/// for one; see [`Handcuffs::lock`].
pub fn lock(
    args: &Args,
    image: &Image,
    volumes: &[Volume],
) -> Result<Option<Handcuffs>> {
    let trees = image.upper.iter().chain(volumes.iter().map(|v| &v.tree));
    let folders: Vec<&Path> = trees.map(|tree| tree.path.as_path()).collect();
    Handcuffs::lock(args, &folders)
}

/// After the end: one line on what was used, if there were handcuffs.
pub fn report(
    args: &step00::Args,
    handcuffs: &Option<Handcuffs>,
    outcome: &Outcome,
) {
    if let Some(handcuffs) = handcuffs {
        handcuffs.report(args.quiet, outcome.ending);
    }
}

/// Reads the limits back from the files of the group that the process is in.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    if let Place::None(why) = Place::find()? {
        return Ok(vec![Line::new(Mark::Free, "handcuffs", why)]);
    }
    let Some(group) = place::group_in(process)? else {
        return Ok(Vec::new());
    };
    let read = |file| {
        let text = fs::read_to_string(group.join(file)).unwrap_or_default();
        text.trim().to_owned()
    };
    let line = |subject, limit: &str, text: String| match limit {
        "max" | "" => Line::new(Mark::Free, subject, "no limit"),
        _ => Line::new(Mark::Cuffed, subject, text),
    };
    let memory = read("memory.max");
    let swap = read("memory.swap.max");
    let bytes = memory.parse().map_or(memory.clone(), human);
    let swap = if swap == "0" { ", no swap" } else { "" };
    let cpu = read("cpu.max");
    let (quota, period) = cpu.split_once(' ').unwrap_or((&cpu, ""));
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let cpus = number(quota) / number(period);
    let pids = read("pids.max");
    let mut lines = vec![
        line("memory", &memory, format!("at most {bytes}{swap}")),
        line("cpu", quota, format!("the time of {cpus} CPU")),
        line("pids", &pids, format!("at most {pids} processes and threads")),
    ];
    for (subject, file) in [("cpuset", "cpuset.cpus"), ("io", "io.max")] {
        let limit = read(file);
        if !limit.is_empty() {
            let text = limit.replace(" riops=max wiops=max", "");
            lines.push(Line::new(Mark::Cuffed, subject, text));
        }
    }
    Ok(lines)
}
