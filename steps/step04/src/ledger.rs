//! What is read back of step04: the layers below `/`.

use anyhow::{Context, Result};
use step00::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, read,
];

/// Reads the layers back from the options of the overlay that its root
/// directory is in.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let mounts = process.mounts()?;
    let root = mounts.root().context("find / in its mountinfo")?;
    if root.kind != "overlay" {
        return Ok(Vec::new());
    }
    let lowers = root.value("lowerdir").unwrap_or_default().split(':').count();
    let upper = root.value("upperdir").unwrap_or_default();
    let kept = match upper.starts_with("disk") {
        true => "kept on disk",
        false => "gone at exit",
    };
    let read_only = match root.is_read_only() {
        true => "read-only, ",
        false => "",
    };
    // One of the lower layers is the launcher's own.
    let layers = match lowers - 1 {
        1 => "one layer".into(),
        count => format!("{count} layers"),
    };
    let text =
        format!("another /: {read_only}overlay on {layers}, writes {kept}");
    Ok(vec![Line::new(Mark::Blind, "files", text)])
}
