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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// As all tests of this rung it needs root.
    #[test]
    fn everything_is_counted_once_and_given_to_its_owner() {
        let folder = witness::Folder::new();
        fs::create_dir(folder.join("deep")).expect("make a folder");
        fs::write(folder.join("ten"), [0; 10]).expect("make a file");
        fs::hard_link(folder.join("ten"), folder.join("deep/same"))
            .expect("make a second name");
        fs::write(folder.join("deep/five"), [0; 5]).expect("make a file");
        symlink("123", folder.join("deep/link")).expect("make a link");
        let owner = |name: &str| {
            let found = folder.join(name).symlink_metadata().expect(name);
            (found.uid(), found.gid())
        };
        let names =
            [".", "ten", "deep", "deep/same", "deep/five", "deep/link"];
        let before = names.map(owner);
        assert_eq!(settle(folder.path(), None).expect("count"), 18);
        assert_eq!(names.map(owner), before, "nobody to give it to");
        let size = settle(folder.path(), Some((7, 8)));
        assert_eq!(size.expect("count"), 18);
        assert_eq!(names.map(owner), [(7, 8); 6]);
        assert!(settle(&folder.join("gone"), None).is_err());
    }

    #[test]
    fn the_learners_umask_comes_back() {
        let own = umask(Mode::from_bits_truncate(0o077));
        let usual = Umask::usual();
        let during = umask(Mode::from_bits_truncate(0o022));
        drop(usual);
        let after = umask(own);
        assert_eq!((during.bits(), after.bits()), (0o022, 0o077));
    }
}
