//! The folders in which containers are recorded, and the locks on them.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use step00::lock::lock_file;

/// The folder of all folders. It is there as long as one of them is.
///
/// # Errors
/// When it belongs to another user, as it may in /tmp.
pub fn base() -> Result<PathBuf> {
    let user = geteuid();
    let base = match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if user.is_root() => PathBuf::from("/run/workshop"),
        Some(folder) => Path::new(&folder).join("workshop"),
        None => PathBuf::from(format!("/tmp/workshop-{user}")),
    };
    match base.symlink_metadata() {
        Ok(found) if !found.is_dir() || found.uid() != user.as_raw() => {
            bail!("{} does not belong to you", base.display())
        }
        _ => Ok(base),
    }
}

/// A name is a folder's name, and what can be typed without quotes.
pub fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && text.len() <= 40 && text.chars().all(is_plain) {
        true => Ok(text.into()),
        false => Err("letters, digits, and _ - . after the first one".into()),
    }
}

/// Is its launcher still there, even if the container has ended?
pub fn has_launcher(name: &str) -> bool {
    let folder = base().map(|base| base.join(name));
    folder.is_ok_and(|folder| {
        folder.exists() && hold(&folder, FlockArg::LockSharedNonblock).is_err()
    })
}

/// Waits until its launcher has recorded how it ended, and is gone.
pub fn settled(name: &str) -> Result<()> {
    let folder = base()?.join(name);
    match hold(&folder, FlockArg::LockShared) {
        Err(_) if folder.exists() => bail!("lock {}", folder.display()),
        _ => Ok(()),
    }
}

/// Takes the lock of one container.
pub(crate) fn hold(folder: &Path, how: FlockArg) -> Result<Flock<File>> {
    let path = folder.join("lock");
    let mut options = File::options();
    let file = options.write(true).create(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    lock_file(file, &path, how)
}

/// The folder of all folders, locked: one process at a time adds or removes
/// one.
///
/// The process that removes the last one removes it, too. So a lock may be on
/// a folder that is gone; then it is worth nothing, and a new one is made.
pub(crate) fn mutex() -> Result<(PathBuf, Flock<File>)> {
    loop {
        let base = base()?;
        // Flags may hold secrets (--env), and so this is for its owner only.
        match fs::DirBuilder::new().mode(0o700).create(&base) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => {
                made.with_context(|| format!("make {}", base.display()))?
            }
        }
        let file = match File::open(&base) {
            // It was removed in between.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            file => {
                file.with_context(|| format!("open {}", base.display()))?
            }
        };
        let inode = file.metadata();
        let inode =
            inode.with_context(|| format!("look at {}", base.display()))?;
        let lock = lock_file(file, &base, FlockArg::LockExclusive)?;
        if fs::metadata(&base).is_ok_and(|found| found.ino() == inode.ino()) {
            return Ok((base, lock));
        }
    }
}

pub(crate) fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
