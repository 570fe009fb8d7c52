//! `step12 state`, `list`, `ps`: looking at containers.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use step00::{Ending, Proc};

use crate::flags::Host;
use crate::group::Name;
use crate::state::{self, State};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Prints what the specification calls the state.
///
/// # Errors
/// When there is no container of that name.
pub fn state(host: &Host, args: &Name) -> Result<Ending> {
    let (state, folder) = state::find(&host.root()?, &args.id)?;
    step00::print(&state.describe_now(&folder)?)
}

/// The flags of `list`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct List {
    /// In which form
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub format: Form,

    /// Only the names
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints all containers below --root.
///
/// # Errors
/// EACCES.
pub fn list(host: &Host, args: &List) -> Result<Ending> {
    let root = host.root()?;
    let mut all = Vec::new();
    for id in state::names(&root)? {
        // One that is being made, or removed, is not there.
        let Ok((state, folder)) = state::find(&root, &id) else { continue };
        let Ok(status) = state.status(&folder) else { continue };
        let pid = status.process().map_or(0, |it| it.pid.as_raw());
        all.push((state, status.word(), pid));
    }
    if args.quiet {
        let names = all.iter().map(|(state, ..)| state.id.clone() + "\n");
        return step00::print(&names.collect::<String>());
    }
    match args.format {
        Form::Table => step00::print(&table(&all)),
        Form::Json => {
            let described = all.iter().map(|(state, status, pid)| {
                let text = state.describe(status, Some(*pid))?;
                Ok(serde_json::from_str(&text)?)
            });
            let all: Vec<serde_json::Value> =
                described.collect::<Result<_>>()?;
            step00::print(&(serde_json::to_string(&all)? + "\n"))
        }
    }
}

fn table(all: &[(State, &str, i32)]) -> String {
    let mut rows = vec![[
        "ID".to_owned(),
        "PID".into(),
        "STATUS".into(),
        "BUNDLE".into(),
        "CREATED".into(),
        "OWNER".into(),
    ]];
    for (state, status, pid) in all {
        let number = || format!("#{}", state.owner);
        let owner = step06::name_of(state.owner).unwrap_or_else(number);
        rows.push([
            state.id.clone(),
            pid.to_string(),
            (*status).to_owned(),
            state.bundle.display().to_string(),
            state.created.clone(),
            owner,
        ]);
    }
    let width = |at: usize| {
        rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line = cells.map(|(cell, &width)| format!("{cell:width$}  "));
        let _ = writeln!(text, "{}", line.collect::<String>().trim_end());
    }
    text
}

/// The flags of `ps`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Ps {
    /// In which form
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub format: Form,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,

    /// What others pass to ps(1): not used
    #[arg(trailing_var_arg = true, hide = true, allow_hyphen_values = true)]
    pub options: Vec<String>,
}

/// A process, for who reads the table.
#[derive(Serialize)]
struct Row {
    pid: i32,
    parent: i32,
    user: u32,
    name: String,
}

/// Prints the processes in the container's group.
///
/// # Errors
/// When there is no container of that name.
pub fn ps(host: &Host, args: &Ps) -> Result<Ending> {
    let (state, _) = state::find(&host.root()?, &args.id)?;
    let mut pids = state.cgroup.processes()?;
    pids.sort();
    let numbers: Vec<i32> = pids.iter().map(|pid| pid.as_raw()).collect();
    if args.format == Form::Json {
        return step00::print(&(serde_json::to_string(&numbers)? + "\n"));
    }
    let mut text =
        format!("{:>8} {:>8} {:>8} COMMAND\n", "PID", "PPID", "UID");
    for pid in pids {
        // One may end at any time.
        let Ok(row) = Row::of(&Proc::of(pid), pid.as_raw()) else { continue };
        let _ = writeln!(
            text,
            "{:>8} {:>8} {:>8} {}",
            row.pid, row.parent, row.user, row.name
        );
    }
    step00::print(&text)
}

impl Row {
    fn of(process: &Proc, pid: i32) -> Result<Row> {
        let uids = process.status("Uid")?;
        let uid = uids.split_whitespace().next().context("read its user")?;
        let command = process.read("cmdline")?;
        let command = command.trim_end_matches('\0').replace('\0', " ");
        let stat = process.stat()?;
        let name = match command.is_empty() {
            true => format!("[{}]", stat.name),
            false => command.escape_debug().to_string(),
        };
        Ok(Row { pid, parent: stat.parent, user: uid.parse()?, name })
    }
}
