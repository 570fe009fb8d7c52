//! Making the files: with which modes, and for whom.

use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;

use super::{Source, layout};

/// Makes everything at `root` and returns its size in bytes.
pub(super) fn build(root: &Path, source: &Source) -> Result<u64> {
    let _umask = Umask::usual();
    layout::make(root)?;
    source.install(root)?;
    settle(root, invoker())
}

/// What the kernel takes away from the mode of every new file (umask(2)).
///
/// It belongs to the whole process, and the command inherits it: so the
/// learner's own one comes back when this is dropped.
struct Umask(Mode);

impl Umask {
    /// New directories are 0755 and new files 0644.
    fn usual() -> Umask {
        Umask(umask(Mode::S_IWGRP | Mode::S_IWOTH))
    }
}

impl Drop for Umask {
    fn drop(&mut self) {
        umask(self.0);
    }
}

/// The person behind sudo, who owns the target folder. None when there is no
/// sudo: then the kernel has given every file to the caller already.
fn invoker() -> Option<(u32, u32)> {
    let id = |name| env::var(name).ok()?.parse().ok();
    let ids = Some((id("SUDO_UID")?, id("SUDO_GID")?));
    ids.filter(|_| geteuid().is_root())
}

/// Gives everything to `owner` and adds up the bytes. lchown changes a link
/// itself, where chown would change what the link points to on the host.
fn settle(path: &Path, owner: Option<(u32, u32)>) -> Result<u64> {
    let seen = || format!("give {} to its owner", path.display());
    if let Some((user, group)) = owner {
        lchown(path, Some(user), Some(group)).with_context(seen)?;
    }
    let metadata = path.symlink_metadata().with_context(seen)?;
    if !metadata.is_dir() {
        // A file with n names is met n times.
        return Ok(metadata.len() / metadata.nlink());
    }
    let mut size = 0;
    for entry in fs::read_dir(path).with_context(seen)? {
        size += settle(&entry.with_context(seen)?.path(), owner)?;
    }
    Ok(size)
}
