//! The record of a container: a folder, and a lock on it.
//!
//! After a crash at any moment the records still tell the truth:
//!
//! - a state file is written beside and then renamed, so it is there whole or
//!   not at all (rename(2));
//! - the kernel releases a lock when the process that holds it ends, so that a
//!   dead launcher is never taken for alive (flock(2));
//! - a record that is not to stay goes with its launcher, however that ends: a
//!   guardian (step00) removes it, and if that was killed too, the next
//!   command does.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};
use step00::{Advice, Ending, Guardian, Running};

use crate::flags::Run;
use crate::folder::{hold, mutex, name_of};
use crate::state::{self, Ended, State, read};

/// The folder of one container that this launcher looks after.
pub struct Record {
    folder: PathBuf,
    // Dropped in this order: first the guardian removes what is not to stay,
    // only then is the name free.
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
            // Removes the folder, if it was made: no process holds its lock by
            // now.
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
                let error = anyhow!("the name {name} is in use");
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

    /// The container runs: records its name, its process and its flags.
    ///
    /// # Errors
    /// When the folder cannot be written to. Without the time at which the
    /// process was started, every reader would take it for another one, and
    /// for dead.
    pub fn begin(&mut self, running: &Running, args: &Run) -> Result<State> {
        let pid = running.process.pid.as_raw();
        let state = State {
            name: self.name(),
            command: running.command.arguments.iter().map(text).collect(),
            flags: flags(&args.process.command),
            detached: args.record.detach,
            remove: args.record.rm,
            created: now(),
            pid,
            start: step07::start_time(pid as u32)
                .context("find when the container's process started")?,
            launcher: nix::unistd::getpid().as_raw(),
            boot: state::boot().context("tell this boot from others")?,
            ended: None,
        };
        self.write(&state)?;
        Ok(state)
    }

    /// The container has ended: records how.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn end(&mut self, mut state: State, ending: Ending) -> Result<()> {
        let status = ending.status();
        state.ended = Some(Ended { status, at: now() });
        self.write(&state)
    }

    /// Writes the state file, in place of an earlier one.
    fn write(&mut self, state: &State) -> Result<()> {
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

/// All that are on record, by name: only containers whose command has started.
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

/// Is the record to be kept when its launcher is gone?
fn stays(state: &State) -> bool {
    state.detached && !state.remove
}

/// Removes the folders of launchers that are gone and left nothing to be kept.
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

/// The flags that this launcher was started with. On its command line come the
/// program, the word `run`, these, and then the container's command, as given.
fn flags(command: &[OsString]) -> Vec<String> {
    let all: Vec<String> = std::env::args_os().map(|a| text(&a)).collect();
    let flags = &all[2..all.len() - command.len()];
    flags.iter().filter(|flag| *flag != "--").cloned().collect()
}

fn text(text: &OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
