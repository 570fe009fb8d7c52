//! What of the container's files is covered, and what cannot be written to.
//!
//! All of this is done before the pivot. From there on /dev/null is whatever
//! the container has of that name, and covering a secret with it might show
//! another one (CVE-2025-31133).

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use step03::open_within;
use step10::masks;

use super::sysctl;
use crate::config::Config;

/// Looks at the names before anything is made.
///
/// # Errors
/// With the field, for a path that is to be masked and is not absolute: a mask
/// that is somewhere else is none. (A read-only path begins at `/` anyway, with
/// runc, and there are files that rely on it.)
pub(super) fn check(config: &Config) -> Result<()> {
    let linux = &config.linux;
    for path in &linux.masked_paths {
        ensure!(
            path.starts_with('/'),
            "linux.maskedPaths: {path:?} must be an absolute path"
        );
    }
    for path in linux.masked_paths.iter().chain(&linux.readonly_paths) {
        let is_path = !path.is_empty() && !path.contains('\0');
        ensure!(is_path, "linux.readonlyPaths, maskedPaths: {path:?}");
    }
    sysctl::check(config)
}

/// First what must be written, then what may not be any more, and last what
/// may not even be read: a cover stays on top.
pub(super) fn seal(root: &OwnedFd, config: &Config) -> Result<()> {
    sysctl::write(config)?;
    for path in &config.linux.readonly_paths {
        let fix = || match look_for(root, path)? {
            Some(target) => masks::fix(&target, Path::new(path)),
            None => Ok(()),
        };
        fix().with_context(|| format!("make {path} read-only"))?;
    }
    for path in &config.linux.masked_paths {
        let cover = || match look_for(root, path)? {
            Some(target) => masks::cover(&target),
            None => Ok(()),
        };
        cover().with_context(|| format!("mask {path}"))?;
    }
    Ok(())
}

/// What this container does not have needs no cover. Any other answer is an
/// error: a mask that is left out in silence is none.
fn look_for(root: &OwnedFd, path: &str) -> Result<Option<OwnedFd>> {
    let rules = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    match open_within(root, path, OFlag::O_PATH, rules) {
        Err(Errno::ENOENT) => Ok(None),
        found => Ok(Some(found?)),
    }
}
