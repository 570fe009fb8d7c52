//! `workshop peek`: an x-ray of any process.
//!
//! Docker, Podman, systemd, Chromium and Flatpak put on the same blindfolds,
//! handcuffs and gags as the rungs do, for there are no others. All of them
//! show in /proc and /sys/fs/cgroup, and this reads nothing else. It says what
//! only root may read. It changes nothing.
//!
//! - [`proc`] - one process's folder in /proc.
//! - [`census`] - all processes, and which of them share what.
//! - [`blindfolds`], [`handcuffs`], [`gags`] - the three parts of a report.
//! - [`all`] - `--all`: the [`tree`] of groups that live apart.

mod all;
mod blindfolds;
mod census;
mod cpus;
mod find;
mod gags;
mod groups;
mod handcuffs;
mod maker;
mod powers;
pub mod proc;
pub mod row;
mod tree;

use std::io::Write;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use step00::Advice;

use crate::text::{VERSION, fit, printable, wrap};
use census::Census;
use proc::Process;
use row::Row;

/// The flags of `workshop peek`.
#[derive(Debug, Args)]
#[command(override_usage = "cargo workshop peek PID|NAME|--all [--json]")]
pub struct Peek {
    /// Its number or its name; or a container's name
    #[arg(value_name = "PID|NAME", required_unless_present = "all")]
    who: Option<String>,

    /// Instead: everybody who lives apart from the machine, as a tree
    #[arg(long, conflicts_with = "who")]
    all: bool,

    /// For programs
    #[arg(long)]
    json: bool,
}

/// Looks, and prints what there is to see.
///
/// # Errors
/// There is no such process. If it ends in the meantime, that is not an error.
pub fn run(args: &Peek, out: &mut impl Write) -> Result<()> {
    let census = Census::take()?;
    if census.is_inside && !args.json {
        writeln!(out, "(seen from inside a container, here \"the machine\")")?;
    }
    let Some(who) = &args.who else {
        return all::run(&census, args.json, out);
    };
    let (pid, others) = find::find(who, &census)?;
    let process = Process::open(pid).advice("cargo workshop peek --all")?;
    let report = Report::make(&process, &census, others);
    match args.json {
        true => report.print_json(out),
        false => report.print(out),
    }
}

/// All that is found out about one process.
struct Report {
    pid: i32,
    name: String,
    command: String,
    maker: Option<String>,
    group: Option<String>,
    parts: [(&'static str, Vec<Row>); 3],
    namesakes: Vec<i32>,
    has_ended: bool,
}

impl Report {
    fn make(process: &Process, census: &Census, others: Vec<i32>) -> Report {
        let command = process.read("cmdline").unwrap_or_default();
        let command = command.trim_end_matches('\0').replace('\0', " ");
        Report {
            pid: process.pid,
            name: process.name(),
            command: printable(&command),
            maker: maker::maker(process, census),
            group: groups::named(process),
            parts: [
                ("blindfolds", blindfolds::look(process, census)),
                ("handcuffs", handcuffs::look(process)),
                ("gags", gags::look(process, census)),
            ],
            namesakes: others,
            has_ended: process.is_gone(),
        }
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        let Report { pid, name, command, .. } = self;
        writeln!(out, "process {pid}, {name}")?;
        if let Some(line) = wrap(command, fit(70)).first() {
            let more = if line.len() < command.len() { " …" } else { "" };
            writeln!(out, "  {line}{more}")?;
        }
        if let Some(maker) = &self.maker {
            writeln!(out, "  made by {maker}")?;
        }
        if let Some(group) = &self.group {
            let text = format!("in the control group {group}");
            for line in wrap(&text, fit(78)) {
                writeln!(out, "  {line}")?;
            }
        }
        for (part, rows) in &self.parts {
            writeln!(out, "{part}:")?;
            for row in rows {
                row.print(out)?;
            }
        }
        if self.has_ended {
            writeln!(out, "It has ended; what it had is gone.")?;
        }
        if !self.namesakes.is_empty() {
            let numbers = self.namesakes.iter().map(i32::to_string);
            let numbers: Vec<String> = numbers.collect();
            let text = format!("Others of this name: {}", numbers.join(" "));
            for line in wrap(&text, fit(80)) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    fn print_json(&self, out: &mut impl Write) -> Result<()> {
        let [blindfolds, handcuffs, gags] = &self.parts;
        let page = json!({
            "version": VERSION,
            "pid": self.pid,
            "name": self.name,
            "command": self.command,
            "maker": self.maker,
            "group": self.group,
            "ended": self.has_ended,
            "blindfolds": blindfolds.1,
            "handcuffs": handcuffs.1,
            "gags": gags.1,
            "others_of_this_name": self.namesakes,
        });
        Ok(writeln!(out, "{page:#}")?)
    }
}
