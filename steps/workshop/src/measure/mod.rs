//! `workshop measure`: what a container costs, on this machine.
//!
//! A plain process, each rung, and other programs that do the same: how long
//! `true` takes to start, run and be gone, and how much memory a waiting `cat`
//! takes. Compare only numbers of one run: the machine, its load and its
//! kernel are in every number.
//!
//! - [`mod@plan`] - what the stopwatch is told, and tells. It is a program of
//!   its own, which is root.
//! - [`candidates`] - the programs that are measured; [`bundle`] - what step12,
//!   crun and runc start.
//! - [`numbers`] - medians and differences; [`row`] - one candidate's;
//!   [`chart`] and [`remarks`] - how they are shown; [`against`] - beside
//!   those of an earlier run.

mod against;
mod bundle;
mod candidates;
mod chart;
mod numbers;
mod plan;
mod remarks;
mod row;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::unistd::geteuid;

use crate::elevate::find;
use crate::ladder::LADDER;
use crate::progress::Progress;
use crate::rootfs::store::target;
use crate::text::tell;
use against::Before;
use bundle::Bundle;
use candidates::Entry;
use plan::{Plan, Timing, Word};
use row::Row;

/// The flags of `workshop measure`.
#[derive(Debug, Args)]
#[command(override_usage = "cargo workshop measure [--rounds N] \
                           [--json | --against FILE]")]
pub struct Measure {
    /// How often each one runs
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Whatever has used so many seconds sits out the rounds that are left
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    patience: u16,

    /// Leave the virtual machine out: it takes seconds each time
    #[arg(long)]
    no_vm: bool,

    /// For programs
    #[arg(long)]
    json: bool,

    /// Show what has changed since --json has printed this
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    against: Option<PathBuf>,
}

/// Builds, measures and prints the result.
///
/// # Errors
/// The rungs cannot be built, there is no way to be root, or the stopwatch
/// fails. A candidate that cannot run here is not an error, but a line.
pub fn run(args: &Measure, out: &mut impl Write) -> Result<()> {
    let before = args.against.as_deref().map(Before::read).transpose()?;
    ask_sudo()?;
    let target = target()?;
    let release = target.join("release");
    build(&release)?;
    let root = target.join("rootfs");
    step03::rootfs::ensure(&root)?;
    let root = root.to_str().context("a path that is no text")?;
    let bundle = Bundle::make(&target, root)?;

    let mut entries = candidates::rungs(&release, root);
    entries.extend(candidates::peers(&release, root, &bundle));
    let program = release.join("stopwatch");
    let rounds = usize::from(args.rounds);
    let plan =
        |rounds, entries: &[Entry]| plan(args.patience, rounds, entries);
    let mut timings = stopwatch(&program, true, &plan(rounds, &entries))?;
    // The learner starts these two, not root.
    let machine = candidates::machine(&target).filter(|_| !args.no_vm);
    for (entry, most) in [(candidates::docker(), 20), (machine, 3)] {
        let Some(entry) = entry else { continue };
        let plan = plan(most.min(rounds), std::slice::from_ref(&entry));
        timings.extend(stopwatch(&program, false, &plan)?);
        entries.push(entry);
    }
    let rows = rows(&entries, &timings);
    match (args.json, before) {
        (true, _) => chart::print_json(&rows, out),
        (_, Some(before)) => against::print(&before, &rows, out),
        _ => chart::print(&rows, out),
    }
}

fn plan(patience: u16, rounds: usize, entries: &[Entry]) -> Plan {
    let patience = patience.into();
    let candidates = entries.iter().map(|entry| entry.candidate.clone());
    let warm_up = (rounds / 20).min(5);
    Plan { rounds, warm_up, patience, candidates: candidates.collect() }
}

/// Whoever may not be root is told before minutes of building, not after.
fn ask_sudo() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    ensure!(find("sudo").is_some(), "only root starts rungs: no sudo here");
    eprintln!(
        "workshop: the rungs take root, and building them takes minutes; so \
         sudo asks first"
    );
    let status = Command::new("sudo").args(["--validate"]).status();
    let status = status.context("run sudo")?;
    ensure!(status.success(), "only root starts rungs: sudo refuses");
    Ok(())
}

/// Optimised builds: debug builds are slower to start. Without cargo, as in
/// `scripts/vm`, it takes what is there.
fn build(release: &Path) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let stopwatch = release.join("stopwatch");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bin", "stopwatch"]);
    for rung in LADDER {
        command.args(["--bin", &rung.name()]);
    }
    if let Some(target) = release.parent() {
        command.arg("--target-dir").arg(target);
    }
    let folder = folder.ancestors().nth(2).unwrap_or(folder);
    tell("optimised builds: cargo build --release --bin step00 …");
    match command.current_dir(folder).status() {
        Ok(status) => {
            ensure!(status.success(), "cargo build --release failed");
        }
        Err(_) if stopwatch.exists() => {
            tell("no cargo here; what was built is measured");
        }
        Err(error) => return Err(error).context("run cargo"),
    }
    Ok(())
}

/// Has the stopwatch carry out a plan, and shows its progress.
fn stopwatch(
    program: &Path,
    as_root: bool,
    plan: &Plan,
) -> Result<Vec<Timing>> {
    let mut command = Command::new(program);
    if as_root && !geteuid().is_root() {
        let shown = program.display();
        ensure!(
            find("sudo").is_some(),
            "only root starts rungs: no sudo here"
        );
        tell(format_args!("the rungs take root, so: sudo {shown}"));
        command = Command::new("sudo");
        command.arg("--").arg(program);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("start the stopwatch")?;
    let mut input = child.stdin.take().context("its input")?;
    input.write_all(serde_json::to_string(plan)?.as_bytes())?;
    drop(input);
    let output = BufReader::new(child.stdout.take().context("its output")?);
    let mut timings = None;
    let count = plan.candidates.len() as u64;
    let mut progress = Progress::rounds("trying", count);
    let mut tried = 0;
    for line in output.lines() {
        match serde_json::from_str(&line?)? {
            Word::Trying(_) => {
                progress.to(tried);
                tried += 1;
            }
            Word::Round(1, of) => {
                progress = Progress::rounds("measuring", of);
            }
            Word::Round(round, _) => progress.to(round - 1),
            Word::Done(done) => timings = Some(done),
        }
    }
    drop(progress);
    let status = child.wait()?;
    match timings {
        Some(timings) if status.success() => Ok(timings),
        _ => bail!("the stopwatch failed ({status})"),
    }
}

fn rows<'a>(entries: &'a [Entry], timings: &'a [Timing]) -> Vec<Row<'a>> {
    let names = entries.iter().map(|entry| entry.candidate.name.as_str());
    let names: Vec<&str> = names.collect();
    let times = |base: &str| {
        let index = names.iter().position(|name| *name == base)?;
        Some(timings[index].times.as_slice())
    };
    let pairs = entries.iter().zip(timings);
    let row = |(entry, timing): (&'a Entry, &'a Timing)| {
        Row::new(entry, timing, entry.base.as_deref().and_then(times))
    };
    pairs.map(row).collect()
}
