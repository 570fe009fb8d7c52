//! `step11 update`: other limits for a container that runs.
//!
//! A limit is a number in a file (step07), and the kernel asks for it at every
//! fork, page and tick. So it can be exchanged at any time, and the processes
//! need not know.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow};
use step00::{Advice, Ending, Process};
use step07::limits::Limits;
use step07::place::{Place, group_of};
use step07::quantities::{Bytes, Cpus, Pids, human};

use crate::{Names, state};

/// The flags of `update`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Memory in bytes, K, M, G, without swap; or max
    #[arg(short, long, value_name = "BYTES")]
    #[arg(value_parser = Bytes::parse_memory)]
    pub memory: Option<Bytes>,

    /// CPU time per time, 1 is one CPU; or max
    #[arg(long, value_name = "NUMBER", value_parser = Cpus::parse)]
    pub cpus: Option<Cpus>,

    /// Processes and threads at once; or max
    #[arg(long, value_name = "NUMBER", value_parser = Pids::parse)]
    pub pids: Option<Pids>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,
}

/// Gives each of them these limits, until it ends.
///
/// # Errors
/// When one does not run or has no group, and when it uses more memory than it
/// is to have.
pub fn update(args: &Args) -> Result<Ending> {
    if args.memory.is_none() && args.cpus.is_none() && args.pids.is_none() {
        return Err(anyhow!("change no limit"))
            .advice("--memory 64M, --cpus 0.5 or --pids 20");
    }
    for name in &args.which.names {
        let process = state::read(name)?.running()?;
        change(args, &process).with_context(|| format!("update {name}"))?;
        step00::print(&format!("{name}\n"))?;
    }
    Ok(Ending::Exited(0))
}

fn change(args: &Args, process: &Process) -> Result<()> {
    let group = group(process)?;
    if let Some(Bytes(Some(wanted))) = args.memory {
        check_memory(&group, wanted)?;
    }
    let limits = Limits::changed(&group, args.memory, args.cpus, args.pids)?;
    step07::cgroup::limit(&group, &limits)
}

/// The group of its own.
fn group(process: &Process) -> Result<PathBuf> {
    if let Some(group) = group_of(process.pid)? {
        return Ok(group);
    }
    match Place::find()? {
        Place::None { why, advice } => Err(Error::msg(why)).advice(advice),
        Place::Below(_) => Err(anyhow!("it has no control group of its own"))
            .advice("start it anew: limits were not to be had at that time"),
    }
}

/// What is used already cannot be taken back: at a limit below that, the kernel
/// tries to, and then ends the group (cgroup-v2.rst, "memory.max").
fn check_memory(group: &Path, wanted: u64) -> Result<()> {
    let path = group.join("memory.current");
    let used = fs::read_to_string(&path);
    let used = used.with_context(|| format!("read {}", path.display()))?;
    let used: u64 = used.trim().parse().context("read memory.current")?;
    match used > wanted {
        true => Err(anyhow!(
            "limit its memory to {}: it uses {}, and would be killed",
            human(wanted),
            human(used)
        ))
        .advice("more than that, or stop it and start it with less"),
        false => Ok(()),
    }
}
