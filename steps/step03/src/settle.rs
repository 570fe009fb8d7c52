//! Inside the new root: the last things that the flags ask for.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use step00::Advice;

use crate::Args;
use crate::tree::{self, Attributes};

/// Makes `/` read-only if that is asked for, and enters the folder in which
/// the command is to start. To be called after the pivot.
///
/// # Errors
/// ENOENT when there is no such working directory.
pub fn settle_in(args: &Args) -> Result<()> {
    if args.read_only {
        // The mount, not the filesystem; and only this mount, not those below
        // it: /dev and volumes stay as they are.
        let root = File::open("/").context("open /")?;
        tree::change_alone(root.as_fd(), Attributes::READ_ONLY)
            .context("make / read-only")?;
    }
    let workdir = args.workdir();
    enter(workdir)
        .with_context(|| format!("enter {} inside", workdir.display()))
        .advice("--workdir takes a folder that the image or a volume has")
}

/// Changes the working directory, but by no "magic link": /proc/self/fd/7 is a
/// way past the root, to a folder that the launcher has open, and a symbolic
/// link of the image may lead there (CVE-2024-21626).
///
/// # Errors
/// ELOOP for such a link, and as for chdir(2).
pub fn enter(folder: &Path) -> nix::Result<()> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    // ENOTDIR for what is no folder.
    nix::unistd::fchdir(openat2(AT_FDCWD, folder, how)?)
}
