//! `step11 stats`: what each container uses, beside its limits.
//!
//! Read from the files of its group, in which the kernel counts:
//! Documentation/admin-guide/cgroup-v2.rst.

use std::fs;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use step00::{Ending, Process};

use step07::place::{Place, group_of};
use step07::quantities::human;

use crate::ps::name_width;
use crate::record;
use crate::state::{self, Status};

/// The flags of `stats`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Print JSON, once: for machines
    #[arg(long)]
    pub json: bool,

    /// Print once, as into a pipe, rather than every second until Ctrl-C
    #[arg(long, visible_alias = "no-stream")]
    pub once: bool,

    /// Only these containers
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// What one container uses. A limit that is missing is none.
#[derive(Debug, Serialize)]
struct Usage {
    name: String,
    pid: i32,
    /// CPU time since its start, in microseconds.
    cpu_usec: Option<u64>,
    /// How many CPUs it may use: 1 is one CPU's whole time.
    cpu_limit: Option<f64>,
    memory_bytes: Option<u64>,
    memory_limit_bytes: Option<u64>,
    pids: Option<u64>,
    pids_limit: Option<u64>,
    #[serde(skip)]
    at: Instant,
}

/// Prints a table or JSON; on a terminal again and again.
///
/// # Errors
/// When one that is named does not run.
pub fn stats(args: &Args) -> Result<Ending> {
    let mut before = take(&args.names)?;
    if args.json {
        return step00::print(
            &(serde_json::to_string_pretty(&before)? + "\n"),
        );
    }
    let is_live = !args.once && io::stdout().is_terminal();
    if !is_live {
        return step00::print(&table(&before, &[]));
    }
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = take(&args.names)?;
        // Cursor home, the table, then clear what is left of a longer one.
        step00::print(&format!("\x1b[H{}\x1b[J", table(&now, &before)))?;
        before = now;
    }
}

fn take(names: &[String]) -> Result<Vec<Usage>> {
    if names.is_empty() {
        let running = record::list()?.into_iter().filter_map(|state| {
            let status = state.status();
            status.process().map(|process| look(&state.name, process))
        });
        return Ok(running.collect());
    }
    let look_at = |name: &String| {
        let state = state::read(name)?;
        match state.status() {
            Status::Paused(process) => Ok(look(name, &process)),
            _ => Ok(look(name, &state.running()?)),
        }
    };
    names.iter().map(look_at).collect()
}

fn look(name: &str, process: &Process) -> Usage {
    let group = group_of(process.pid).ok().flatten();
    let read = |file: &str| {
        let text = fs::read_to_string(group.as_ref()?.join(file)).ok()?;
        Some(text.trim().to_owned())
    };
    let number = |file: &str| read(file)?.parse().ok();
    let cpu_limit = || {
        let text = read("cpu.max")?;
        let (quota, period) = text.split_once(' ')?;
        let numbers: (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
        Some(numbers.0 / numbers.1)
    };
    let cpu_usec = || {
        let text = read("cpu.stat")?;
        let line = text.lines().find_map(|l| l.strip_prefix("usage_usec "))?;
        line.parse().ok()
    };
    Usage {
        name: name.into(),
        pid: process.pid.as_raw(),
        cpu_usec: cpu_usec(),
        cpu_limit: cpu_limit(),
        memory_bytes: number("memory.current"),
        memory_limit_bytes: number("memory.max"),
        pids: number("pids.current"),
        pids_limit: number("pids.max"),
        at: Instant::now(),
    }
}

fn table(now: &[Usage], before: &[Usage]) -> String {
    let width = name_width(now.iter().map(|usage| &*usage.name));
    let mut text = format!(
        "{:<width$} {:>6} {:>9} {:>19} {:>11}\n",
        "NAME", "CPU", "CPU TIME", "MEMORY / LIMIT", "PIDS"
    );
    for usage in now {
        let earlier = before.iter().find(|earlier| earlier.pid == usage.pid);
        text += &line(usage, earlier, width);
    }
    if now.iter().any(|usage| usage.memory_bytes.is_none()) {
        if let Ok(Place::None { why, advice }) = Place::find() {
            text += &format!("\n{why}\ntry: {advice}\n");
        }
    }
    text
}

fn line(usage: &Usage, earlier: Option<&Usage>, width: usize) -> String {
    let unknown = || "-".to_owned();
    let cpu = earlier.and_then(|earlier| {
        let spent = usage.cpu_usec?.checked_sub(earlier.cpu_usec?)?;
        let passed = usage.at.duration_since(earlier.at).as_micros();
        Some(format!("{:.1} %", 100.0 * spent as f64 / passed as f64))
    });
    let time =
        usage.cpu_usec.map(|usec| format!("{:.2} s", usec as f64 / 1e6));
    let of = |used: Option<String>, limit: Option<String>| match used {
        Some(used) => format!("{used} / {}", limit.unwrap_or("max".into())),
        None => unknown(),
    };
    let memory =
        of(usage.memory_bytes.map(human), usage.memory_limit_bytes.map(human));
    let pids = of(
        usage.pids.map(|pids| pids.to_string()),
        usage.pids_limit.map(|limit| limit.to_string()),
    );
    format!(
        "{:<width$} {:>6} {:>9} {memory:>19} {pids:>11}\n",
        usage.name,
        cpu.unwrap_or_else(unknown),
        time.unwrap_or_else(unknown),
    )
}
