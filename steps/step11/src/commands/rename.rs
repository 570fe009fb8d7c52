//! `step11 rename`: another name for a container, whether it runs or not.

use anyhow::{Context, Result};
use step00::Ending;

use crate::{folder, record, state};

/// The flags of `rename`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// The container
    pub name: String,

    /// What it is to be called
    #[arg(value_parser = folder::parse_name)]
    pub new: String,
}

/// Renames it. Its hostname stays: that is what its processes were told.
///
/// # Errors
/// When there is none of that name, or one of the new name.
pub fn rename(args: &Args) -> Result<Ending> {
    let old = state::read(&args.name).context("rename a container")?.name;
    record::rename(&old, &args.new)?;
    Ok(Ending::Exited(0))
}
