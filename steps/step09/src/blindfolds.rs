//! Puts on what the flags ask for of the last three blindfolds.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use step03::tree::Tree;

use crate::{Args, Kind, ipc};

/// The blindfold: CLONE_NEWIPC, or none.
pub fn namespace(args: &Args) -> libc::c_int {
    match args.ipc {
        Kind::Private => libc::CLONE_NEWIPC,
        Kind::Host => 0,
    }
}

/// Inside, while /proc is still the machine's: the two that are no flag.
pub fn blindfold(args: &Args) -> Result<()> {
    ipc::hide_groups()?;
    args.boottime_offset.map_or(Ok(()), ipc::shift_boottime)
}

/// Inside, with a /dev in the new root: the places where queues and shared
/// memory have names.
pub fn furnish(args: &Args, new_root: &Path) -> Result<()> {
    match args.ipc {
        Kind::Private => ipc::mount_queues(new_root),
        Kind::Host => {
            show(Path::new("/dev/shm"), &new_root.join("dev/shm"))?;
            show(Path::new("/dev/mqueue"), &new_root.join("dev/mqueue"))
        }
    }
}

/// A place of the machine that not every machine has.
fn show(source: &Path, target: &Path) -> Result<()> {
    if !source.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(target)
        .with_context(|| format!("make {}", target.display()))?;
    let target = File::open(target)?;
    Tree::open(source)?.attach(target.as_fd())
}
