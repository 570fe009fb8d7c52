//! The flags of step04.

use std::path::PathBuf;

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
