//! What is read back of step02: two numbers for one process.

use anyhow::{Context, Result};
use step00::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger.
pub const LEDGER: &[Reader] =
    &[step00::ledger::read, step01::ledger::read, read];

/// Reads both numbers of the process: it has one in each PID namespace that it
/// is in, and the last is that of its own.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("pid")? {
        return Ok(Vec::new());
    }
    let numbers = process.numbers()?;
    let inside = numbers.last().context("find its number")?;
    let text = format!("PID {inside} inside, {} outside", process.pid);
    Ok(vec![Line::new(Mark::Blind, "processes", text)])
}
