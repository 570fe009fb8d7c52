//! The folder of a container, and the locks that keep it true.
//!
//! After a crash at any moment the records still tell the truth:
//!
//! - a state file is written beside and then renamed, so it is there whole or
//!   not at all (rename(2));
//! - the kernel takes a lock away with the process that holds it, so that
//!   nobody is taken for alive who is not (flock(2));
//! - what is not to stay goes with its launcher, however that ends: a guardian
//!   sees to it (step00), and when that was killed too, the next command.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use step00::{Advice, Guardian};

use crate::state::{State, base, read};

/// The folder of one container that this launcher looks after.
pub struct Record {
    folder: PathBuf,
    // Dropped in this order: the guardian removes what is not to stay, and
    // only then the name is free.
    guardian: Option<Guardian>,
    _lock: Flock<File>,
}

impl Record {
    /// Claims a name: the one that is wanted, or the first of box1, box2 …
    ///
    /// # Errors
    /// When a container of that name is on record.
    pub fn claim(wanted: Option<&str>) -> Result<Record> {
        let (base, _mutex) = mutex()?;
        sweep(&base);
        Record::claim_below(&base, wanted).inspect_err(|_| {
            // A folder that was made, and whose lock nobody holds by now.
            sweep(&base);
            let _ = fs::remove_dir(&base);
        })
    }

    fn claim_below(base: &Path, wanted: Option<&str>) -> Result<Record> {
        let folder = match wanted {
            Some(name) => base.join(name),
            None => (1..)
                .map(|number| base.join(format!("box{number}")))
                .find(|folder| !folder.exists())
                .context("find a name")?,
        };
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let name = name_of(&folder);
                let error = anyhow::anyhow!("the name {name} is in use");
                return Err(error).advice(format!(
                    "another one, or: step11 rm --force {name}"
                ));
            }
            made => {
                made.with_context(|| format!("make {}", folder.display()))?
            }
        }
        let lock = hold(&folder, FlockArg::LockExclusiveNonblock)?;
        let (kept, gone) = (lock.as_fd(), folder.clone());
        let end_group = step07::last_resort()?;
        let guardian = Guardian::start(Some(kept), move || {
            let Ok((base, _mutex)) = mutex() else { return };
            if remove_unless_kept(&gone) {
                end_group();
            }
            let _ = fs::remove_dir(base);
        })?;
        Ok(Record { folder, guardian: Some(guardian), _lock: lock })
    }

    /// What it is called.
    pub fn name(&self) -> String {
        name_of(&self.folder)
    }

    /// The file of that name in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the state down, in place of an earlier one.
    pub fn write(&mut self, state: &State) -> Result<()> {
        let (new, path) = (self.file("state.new"), self.file("state.json"));
        let text = serde_json::to_string_pretty(state)?;
        fs::write(&new, text + "\n")
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))?;
        // From here on the record stays, with or without this launcher.
        if stays(state) {
            self.guardian = None;
        }
        Ok(())
    }
}

/// All that are on record, by name. Whoever is not yet running is not.
pub fn list() -> Result<Vec<State>> {
    let (base, mutex) = mutex()?;
    sweep(&base);
    let folders: Vec<_> = fs::read_dir(&base)?.flatten().collect();
    // As long as there is none, there is no folder of all folders either.
    let _ = fs::remove_dir(&base);
    drop(mutex);
    let folders = folders.into_iter().map(|entry| entry.path());
    let states = folders.filter_map(|folder| read(&name_of(&folder)).ok());
    let mut states: Vec<State> = states.collect();
    states.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(states)
}

/// Is its launcher there, be it that the container has ended?
pub fn has_launcher(name: &str) -> bool {
    let folder = base().map(|base| base.join(name));
    folder.is_ok_and(|folder| {
        folder.exists() && hold(&folder, FlockArg::LockSharedNonblock).is_err()
    })
}

/// Waits until its launcher has written down how it ended, and is gone.
pub fn settled(name: &str) -> Result<()> {
    let folder = base()?.join(name);
    match hold(&folder, FlockArg::LockShared) {
        Err(_) if folder.exists() => bail!("lock {}", folder.display()),
        _ => Ok(()),
    }
}

/// Removes what is on record of it.
///
/// # Errors
/// When its launcher is still there.
pub fn remove(name: &str) -> Result<()> {
    let (base, _mutex) = mutex()?;
    let folder = base.join(name);
    if !folder.exists() {
        return Ok(());
    }
    let _lock = hold(&folder, FlockArg::LockExclusiveNonblock)
        .with_context(|| format!("{name} runs"))
        .advice(format!("step11 stop {name}, or rm --force {name}"))?;
    fs::remove_dir_all(&folder)
        .with_context(|| format!("remove {}", folder.display()))?;
    let _ = fs::remove_dir(base);
    Ok(())
}

/// Is there something to be kept when its launcher is gone?
fn stays(state: &State) -> bool {
    state.detached && !state.remove
}

/// The folders of launchers that are gone, and left nothing to be kept.
fn sweep(base: &Path) {
    step07::sweep();
    let folders = fs::read_dir(base).into_iter().flatten().flatten();
    for folder in folders.map(|entry| entry.path()) {
        if hold(&folder, FlockArg::LockExclusiveNonblock).is_ok() {
            remove_unless_kept(&folder);
        }
    }
}

/// Returns whether it was removed.
fn remove_unless_kept(folder: &Path) -> bool {
    let kept = read(&name_of(folder)).is_ok_and(|state| stays(&state));
    if !kept {
        let _ = fs::remove_dir_all(folder);
    }
    !kept
}

/// Takes the lock of one container.
fn hold(folder: &Path, how: FlockArg) -> Result<Flock<File>> {
    let path = folder.join("lock");
    let mut options = File::options();
    let file = options.write(true).create(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    Flock::lock(file, how)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("lock {}", path.display()))
}

/// The folder of all folders, for one at a time who adds or removes one.
///
/// The last one out removes it. So a lock on what is no longer the folder of
/// that name is worth nothing, and a new one has to be made.
fn mutex() -> Result<(PathBuf, Flock<File>)> {
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
            // The last one out was here in between.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            file => {
                file.with_context(|| format!("open {}", base.display()))?
            }
        };
        let inode = file.metadata();
        let inode =
            inode.with_context(|| format!("look at {}", base.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .with_context(|| format!("lock {}", base.display()))?;
        if fs::metadata(&base).is_ok_and(|found| found.ino() == inode.ino()) {
            return Ok((base, lock));
        }
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
