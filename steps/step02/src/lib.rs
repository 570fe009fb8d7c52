//! step02: the PID namespace.
//!
//! It blinds to other processes: they have no number here, and what has no
//! number cannot be signalled, traced or waited for. The first process in the
//! namespace is PID 1, with the shield and the duties of PID 1.
//!
//! Interface:
//!
//! - [`pid::run_as_init`] - the primitive: PID 1's duties, for a command that
//!   does not know them.
//! - [`Args`] - `--init`.
//! - [`ledger`] - the numbers that the process has inside and outside.
//!
//! Still visible: `ps` shows every process of the machine until step03,
//! because it reads /proc, and that is still the machine's own.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step02 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod pid;
#[cfg(not(feature = "exercise"))]
pub mod pid;

use anyhow::{Context, Result};
use step00::{Finale, Line, Mark, Subject};

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step02: the processes")]
#[group(skip)]
pub struct Args {
    /// Let a tiny init be PID 1: it reaps zombies and hands on signals
    #[arg(long)]
    pub init: bool,
}

/// How the process goes on once it is set up: as the command, or as an init
/// with the command as its child.
pub fn finale(args: &Args) -> Finale {
    match args.init {
        true => pid::run_as_init,
        false => step00::process::execute,
    }
}

/// Reads both numbers of the process: it has one in each PID namespace that
/// it is in, and the last is its own's.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("pid")? {
        return Ok(Vec::new());
    }
    let numbers = process.numbers()?;
    let inside = numbers.last().context("find its number")?;
    let text = format!("PID {inside} inside, {} outside", process.pid);
    Ok(vec![Line::new(Mark::Blind, "processes", text)])
}
