//! step04: overlayfs.
//!
//! It blinds to nothing new. It makes the new root cheap: read-only layers
//! that all containers share, and above them a private layer for the writes.
//! Without it, each container would need a copy of the image.
//!
//! Interface:
//!
//! - [`overlay`] - the primitive: one mount of several folders.
//! - [`image`] - the layers, and where the overlay is put together.
//! - [`changes`] - what the container has written.
//! - [`Args`] - `--image`, `--upper`, `--changes`.
//! - [`ledger`] - how many layers lie below `/`, and where the writes go.
//!
//! Still visible: as in step03.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step04 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod overlay;
#[cfg(not(feature = "exercise"))]
pub mod overlay;

pub mod changes;
pub mod image;

use std::path::PathBuf;

use anyhow::{Context, Result};
use step00::{Line, Mark, Outcome, Subject};

pub use image::Image;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step04: the image")]
#[group(skip)]
pub struct Args {
    /// A layer of the image, lowest first; repeat it for more
    #[arg(long, value_name = "DIR", conflicts_with = "rootfs")]
    pub image: Vec<PathBuf>,

    /// Keep the writes in DIR/upper [default: in memory, gone at exit]
    #[arg(long, value_name = "DIR")]
    pub upper: Option<PathBuf>,

    /// At exit, list what was (A)dded, (C)hanged and (D)eleted
    #[arg(long)]
    pub changes: bool,
}

/// After the end: prints the changes, if they were asked for.
pub fn report(args: &Args, image: &Image, outcome: &Outcome) -> Result<()> {
    if !args.changes {
        return Ok(());
    }
    let upper = outcome.handed_over.first().context("find the upper layer")?;
    changes::print(image, upper)
}

/// Reads the layers back from the options of the overlay that its root
/// directory is in.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
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
