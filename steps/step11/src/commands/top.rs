//! `step11 top`: the processes of a container, as both sides count them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use step00::{Ending, Proc, proc};

use crate::exec;
use crate::state::{self, Status};

/// The flags of `top`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// The container
    pub name: String,
}

/// Prints a line for each process: its number and its user on the machine,
/// and its number in the container.
///
/// # Errors
/// When it does not run.
pub fn top(args: &Args) -> Result<Ending> {
    let state = state::read(&args.name)?;
    let process = match state.status() {
        Status::Paused(process) => process,
        _ => state.running()?,
    };
    let first = process.pid;
    let way_in = exec::way_in(process)?.pid;
    let depth = Proc::of(first).numbers()?.len() - 1;
    let mut text = row(["PID", "INSIDE", "UID", "COMMAND"]);
    // One that has ended in the meantime is left out.
    for pid in members(first, way_in)? {
        text += &line(pid, depth).unwrap_or_default();
    }
    step00::print(&text)
}

fn row([pid, inside, uid, command]: [&str; 4]) -> String {
    format!("{pid:<8} {inside:<8} {uid:<8} {command}\n")
}

/// `depth` is how many PID namespaces the container's lies below ours.
fn line(pid: Pid, depth: usize) -> Result<String> {
    let process = Proc::of(pid);
    // One reading: all of it is of one moment.
    let status = process.read("status")?;
    let word = |field: &str, number: usize| {
        let value = proc::field(&status, field).unwrap_or_default();
        value.split_whitespace().nth(number).unwrap_or("-").to_owned()
    };
    // Its arguments, each with a zero byte at its end. A zombie has none left.
    let arguments = process.read("cmdline")?.replace('\0', " ");
    let command = match arguments.trim_end() {
        "" => format!("[{}]", proc::field(&status, "Name").unwrap_or("?")),
        arguments => arguments.to_owned(),
    };
    let command = command.escape_debug().to_string();
    Ok(row([
        &pid.to_string(),
        &word("NSpid", depth),
        &word("Uid", 0),
        &command,
    ]))
}

/// The first one, all that are in the PID namespace of `way_in`, and their
/// descendants: those may have gone on to a namespace below it. The kernel has
/// no list of them.
fn members(first: Pid, way_in: Pid) -> Result<BTreeSet<Pid>> {
    let namespace = Proc::of(way_in).namespace("pid");
    let namespace = namespace.context("find its PID namespace")?;
    let all = fs::read_dir("/proc").context("list all processes")?;
    let numbers = all.flatten().filter_map(|entry| {
        Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
    });
    let is_inside = |pid: &Pid| {
        let its = Proc::of(*pid).namespace("pid");
        its.is_ok_and(|its| its == namespace)
    };
    let mut found: BTreeSet<Pid> = numbers.filter(is_inside).collect();
    found.insert(first);
    let mut new: Vec<Pid> = found.iter().copied().collect();
    while let Some(pid) = new.pop() {
        for child in Proc::of(pid).children().unwrap_or_default() {
            if found.insert(child) {
                new.push(child);
            }
        }
    }
    Ok(found)
}
