//! The folders in which containers are written down, and the locks on them.
//!
//! All of them are in [`Folder::base`], and are reached by its descriptor.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use step00::folder::{Folder, is_missing};
use step00::lock::{Lock, lock_file, patiently};

/// How long a launcher has for its last words once its container has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name is a folder's name, and what can be typed without quotes.
pub fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && text.len() <= 40 && text.chars().all(is_plain) {
        true => Ok(text.into()),
        false => Err("letters, digits, and _ - . after the first one".into()),
    }
}

/// The folder of one container, if there is one of that name.
///
/// # Errors
/// When it is not ours.
pub fn find(name: &str) -> Result<Option<Folder>> {
    match Folder::base()? {
        Some(base) => find_in(&base, name),
        None => Ok(None),
    }
}

/// The same, for who has the folder of all folders open.
pub(crate) fn find_in(base: &Folder, name: &str) -> Result<Option<Folder>> {
    match base.open(name) {
        Err(error) if is_missing(&error) => Ok(None),
        folder => folder.map(Some),
    }
}

/// Is its launcher there, be it that the container has ended?
pub fn has_launcher(name: &str) -> bool {
    let how = FlockArg::LockSharedNonblock;
    let folder = find(name).ok().flatten();
    folder.is_some_and(|folder| hold(&folder, how).is_err())
}

/// Waits until its launcher has written down how it ended, and is gone.
///
/// # Errors
/// When that takes too long, as it does when the launcher is stopped; with who
/// it is.
pub fn settled(name: &str) -> Result<()> {
    let Some(folder) = find(name)? else { return Ok(()) };
    let file = match folder.file("lock", OFlag::O_RDWR) {
        // It is being removed.
        Err(Errno::ENOENT) => return Ok(()),
        file => file.with_context(|| format!("open the lock of {name}"))?,
    };
    let end = Instant::now() + PATIENCE;
    patiently(file, FlockArg::LockSharedNonblock, end)
        .map(drop)
        .with_context(|| format!("wait for the launcher of {name}"))
}

/// What those share who wait to read how a container has ended whose record
/// goes with its end.
const READERS: &str = "readers";

/// A share for one who is going to read that. The launcher does not end before
/// it is given back.
///
/// # Errors
/// As for open(2).
pub(crate) fn share_end(folder: &Folder) -> Result<Flock<File>> {
    let path = folder.path().join(READERS);
    let flags = OFlag::O_RDWR | OFlag::O_CREAT;
    let file = folder.file(READERS, flags);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    lock_file(file, &path, FlockArg::LockShared)
}

/// The launcher's side: waits until all have read it; whoever takes too long
/// has had their time.
pub(crate) fn let_read(folder: &Folder) {
    if let Ok(file) = folder.file(READERS, OFlag::O_RDWR) {
        let end = Instant::now() + PATIENCE;
        let _ = patiently(file, FlockArg::LockExclusiveNonblock, end);
    }
}

/// Takes the lock of one container, if nobody has it.
pub(crate) fn hold(folder: &Folder, how: FlockArg) -> Result<Flock<File>> {
    let path = folder.path().join("lock");
    let file = folder
        .file("lock", OFlag::O_RDWR | OFlag::O_CREAT)
        .with_context(|| format!("open {}", path.display()))?;
    lock_file(file, &path, how)
}

/// The folder of all folders, for one at a time who adds or removes one. It
/// goes with the last thing in it, and the lock is one of these.
pub(crate) fn mutex() -> Result<(Folder, Lock)> {
    let lock = Lock::take(".records")?;
    let base = Folder::base()?.context("find our own folder")?;
    Ok((base, lock))
}
