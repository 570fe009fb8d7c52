//! What is read back of step03: what is mounted on the process's `/`.

use anyhow::{Context, Result};
use step00::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read, read,
];

/// Reads which mount its root directory is in. Of several mounts on `/` only
/// the kernel can tell: a pivot that was not finished leaves the old one.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("mnt")? {
        return Ok(Vec::new());
    }
    let mounts = process.mounts()?;
    let root = mounts.root().context("find / in its mountinfo")?;
    let read_only = match root.is_read_only() {
        true => ", read-only",
        false => "",
    };
    let text = format!(
        "another / ({}{read_only}), {} mounts of its own",
        root.kind,
        mounts.len()
    );
    Ok(vec![Line::new(Mark::Blind, "files", text)])
}
