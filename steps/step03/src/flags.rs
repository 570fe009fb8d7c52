//! The flags of step03.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{rootfs, volumes};

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step03: the files")]
#[group(skip)]
pub struct Args {
    /// The folder that becomes `/` [default: target/rootfs, made if missing]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,

    /// Nothing in `/` can be changed (volumes can)
    #[arg(long)]
    pub read_only: bool,

    /// Show a folder or file of the machine inside; :ro for read-only
    #[arg(short, long, value_name = "HOST:INSIDE[:ro]")]
    #[arg(value_parser = volumes::parse)]
    pub volume: Vec<volumes::Specification>,

    /// The folder in which the command starts
    #[arg(short, long, value_name = "DIR", default_value = "/")]
    pub workdir: PathBuf,

    /// Set a variable; the environment inside starts clean
    #[arg(short, long, value_name = "K=V", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
}

impl Args {
    /// The folder that becomes `/`. The default one is made on first need.
    ///
    /// # Errors
    /// When a folder that was asked for is not there.
    pub fn new_root(&self) -> Result<PathBuf> {
        let path = match &self.rootfs {
            Some(path) => path.clone(),
            None => rootfs::default_path()?,
        };
        rootfs::ensure(&path)?;
        path.canonicalize().with_context(|| format!("find {}", path.display()))
    }
}

/// Reads `NAME=VALUE`.
pub fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.into(), value.into()))
        }
        _ => Err("write NAME=VALUE".into()),
    }
}
