//! The flags of step04.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use crate::imported;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step04: the image")]
#[group(skip)]
pub struct Args {
    /// An imported image by name, or a layer of one; repeat it, lowest first
    #[arg(long, value_name = "NAME|DIR", conflicts_with = "rootfs")]
    pub image: Vec<PathBuf>,

    /// Run this in place of the image's own entrypoint; '' for none
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<OsString>,

    /// Keep the writes in DIR/upper [default: in memory, gone at exit]
    #[arg(long, value_name = "DIR")]
    pub upper: Option<PathBuf>,

    /// At exit, list what was (A)dded, (C)hanged and (D)eleted
    #[arg(long)]
    pub changes: bool,

    /// As whom the image's program is to run: `USER` or `USER:GROUP`.
    #[arg(skip)]
    pub default_user: Option<String>,
}

impl Args {
    /// The folders that are stacked, lowest first. What is called as an
    /// imported image is that image; `./NAME` is a folder in any case.
    ///
    /// # Errors
    /// As [`imported::find`], and [`step03::Args::new_root`].
    pub fn layers(&self, root: &step03::Args) -> Result<Vec<PathBuf>> {
        if self.image.is_empty() {
            return Ok(vec![root.new_root()?]);
        }
        let mut layers = Vec::new();
        for image in &self.image {
            let name = image.to_str();
            match name.map(imported::find).transpose()?.flatten() {
                Some(imported) => layers.extend(imported.layers),
                None => layers.push(image.clone()),
            }
        }
        Ok(layers)
    }
}
