//! Locks by which launchers, which know nothing of each other, take turns:
//! flock(2).
//!
//! A lock belongs to the opened file. The kernel releases it with the last
//! descriptor for that, so when its holder ends, however it ends, nothing
//! stays locked.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

/// Opens a file or a folder, and locks it for as long as the result lives.
///
/// # Errors
/// As for open(2); with a `Nonblock` flag EWOULDBLOCK when another process
/// holds the lock.
pub fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>> {
    let file = File::open(path)
        .with_context(|| format!("open {}", path.display()))?;
    lock_file(file, path, how)
}

/// Locks a file that is open already; `path` is for the error.
///
/// # Errors
/// With a `Nonblock` flag EWOULDBLOCK when another process holds the lock.
pub fn lock_file(
    file: File,
    path: &Path,
    how: FlockArg,
) -> Result<Flock<File>> {
    Flock::lock(file, how)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("lock {}", path.display()))
}
