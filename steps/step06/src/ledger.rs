//! What is read back of step06: which user root inside is outside.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use nix::unistd::Pid;
use step00::{Line, Mark, Proc, Reader, Subject};

use crate::names::name_in_file;

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    read,
];

/// Reads which user root is outside, by the number that this launcher knows.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("user")? {
        return Ok(Vec::new());
    }
    let map = process.uid_map()?;
    let root = map.outside(0).context("find root's map")?;
    let name = name_in_file(root as u32);
    let name = name.map_or(String::new(), |name| format!("{name}, "));
    let text = match map.count() {
        1 => {
            format!("root inside is {name}uid {root} outside, nobody else is")
        }
        count => {
            format!("root inside is {name}uid {root} outside, of {count}")
        }
    };
    // By a map of the caller's: then it is root of the machine's files too.
    let mark = match root {
        0 => Mark::Sees,
        _ => Mark::Blind,
    };
    let mut lines = vec![Line::new(mark, "users", text)];
    lines.extend(carrier()?);
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    lines.extend(found.iter().cloned());
    Ok(lines)
}

/// What the launcher has found before there was a process, and what that does
/// not show.
static FOUND: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// Keeps a line for the ledger.
pub(crate) fn found(subject: &'static str, text: String) {
    let mut lines = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    lines.push(Line::new(Mark::Blind, subject, text));
}

/// Who carries what the container sends, where that is not the kernel.
fn carrier() -> Result<Option<Line>> {
    let is_pasta = |child: &&Pid| {
        let name = Proc::of(**child).read("comm").unwrap_or_default();
        name.starts_with("pasta") || name.starts_with("passt")
    };
    let children = Proc::own().children()?;
    Ok(children.iter().find(is_pasta).map(|pid| {
        let text = format!("by pasta, your process {pid}");
        Line::new(Mark::Blind, "way out", text)
    }))
}
