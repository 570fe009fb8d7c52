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

mod birth;
mod names;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use step00::folder::Folder;
use step00::lock::some_of;
use step00::stat::fstat;
use step00::{Advice, Guardian, Outcome, Running};
use step06::Connection;
use step07::Handcuffs;

use crate::flags::{Args, Run};
use crate::folder::{self, hold, mutex};
use crate::state::{Ended, State, Status, read, read_in};

pub use names::rename;
use names::{free_name, name_of};

/// The folder of one container that this launcher looks after.
pub struct Record {
    name: String,
    folder: Folder,
    // Dropped in this order: the guardian removes what is not to stay, and
    // only then the name is free.
    guardian: Option<Guardian>,
    _lock: Flock<File>,
}

impl Record {
    /// Claims a name: the one that is wanted, or the first of box1, box2 …; or
    /// again that of a container that has ended.
    ///
    /// # Errors
    /// When a container of that name is on record.
    pub fn claim(args: &Args) -> Result<Record> {
        let (base, _mutex) = mutex()?;
        sweep(&base);
        if let Some(name) = &args.name {
            sweep_one(&base, name);
        }
        // A folder that was made, and whose lock nobody holds by now.
        Record::claim_below(&base, args).inspect_err(|_| sweep(&base))
    }

    fn claim_below(base: &Folder, args: &Args) -> Result<Record> {
        let former = args.again.as_ref();
        let name = match former.map(|former| &former.name) {
            Some(name) => name.clone(),
            None => args.name.clone().unwrap_or_else(|| free_name(base)),
        };
        match base.make(&name) {
            Err(Errno::EEXIST) if former.is_some() => {}
            Err(Errno::EEXIST) => {
                let error = anyhow!("the name {name} is in use");
                return Err(error).advice(format!(
                    "another one, or: step11 rm --force {name}"
                ));
            }
            made => made.with_context(|| {
                format!("make {}", base.path().join(&name).display())
            })?,
        }
        let folder = base.open(&name)?;
        let lock = hold(&folder, FlockArg::LockExclusiveNonblock)
            .with_context(|| format!("claim the name {name}"))
            .advice("step11 ps: another command may be starting it")?;
        let lock_file = fstat(&*lock).context("look at a lock")?.st_ino;
        let descriptor = lock.as_raw_fd();
        let former = former.map(|former| former.pid);
        let end_group = step07::last_resort()?;
        let guardian = Guardian::start(&[lock.as_fd()], move || {
            let Ok((base, _mutex)) = mutex() else { return };
            let name = name_of(&base, descriptor, lock_file);
            let has_begun = name.is_some_and(|name| {
                remove_unless_kept(&base, &name);
                // What was not to stay has no state any more.
                read(&name).is_ok_and(|now| Some(now.pid) != former)
            });
            if !has_begun {
                end_group();
            }
        })?;
        Ok(Record { name, folder, guardian: Some(guardian), _lock: lock })
    }

    /// The name that was claimed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder, for the log.
    ///
    /// # Errors
    /// EMFILE.
    pub fn folder(&self) -> Result<Folder> {
        self.folder.try_clone().context("share a folder")
    }

    /// The container runs: writes down as what, by which process, and how it
    /// was asked for.
    ///
    /// # Errors
    /// When the folder cannot be written to. Without the time at which the
    /// process was started, everybody would take it for another one, and dead.
    pub fn begin(
        &mut self,
        running: &Running,
        args: &Run,
        connection: &Connection,
    ) -> Result<State> {
        let state = birth::describe(&self.name, running, args, connection)?;
        self.write(&state)?;
        Ok(state)
    }

    /// The container has ended: waits for its last words in the log (all its
    /// processes are dead by now, so the end of it comes), and writes down how.
    /// Where that cannot be (a full /run), it is said, and the command has
    /// ended as it has: others will take the container for lost.
    pub fn end(
        &mut self,
        mut state: State,
        outcome: &Outcome,
        handcuffs: &Option<Handcuffs>,
        log: Option<JoinHandle<()>>,
    ) {
        let _ = log.map(JoinHandle::join);
        state.ended = Some(Ended {
            status: outcome.ending.status(),
            oom_killed: step07::is_oom_killed(handcuffs, outcome),
            at: now(),
        });
        if let Err(error) = self.write(&state) {
            step00::epilogue(&format!("{error:#}"));
        } else if !stays(&state) {
            folder::let_read(&self.folder);
        }
    }

    /// Writes the state down, in place of an earlier one.
    fn write(&mut self, state: &State) -> Result<()> {
        let text = serde_json::to_string_pretty(state)? + "\n";
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let write = || -> Result<()> {
            let mut new = self.folder.file("state.new", flags)?;
            new.write_all(text.as_bytes())?;
            Ok(self.folder.rename("state.new", "state.json")?)
        };
        write().with_context(|| {
            let path = self.folder.path().join("state.json");
            format!("write {}", path.display())
        })?;
        // From here on the record stays, with or without this launcher.
        if stays(state) {
            self.guardian = None;
        }
        Ok(())
    }
}

/// All that are on record, by name. Whoever is not yet running is not.
pub fn list() -> Result<Vec<State>> {
    // As long as there is none, there is no folder of all folders either.
    if Folder::base()?.is_none() {
        return Ok(Vec::new());
    }
    let (base, mutex) = mutex()?;
    step07::sweep();
    let names = names_in(&base).context("list what is on record")?;
    let mut states: Vec<State> =
        names.iter().filter_map(|name| look(&base, name)).collect();
    drop(mutex);
    states.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(states)
}

/// What is on record of one, unless its launcher is gone, and that with it.
fn look(base: &Folder, name: &str) -> Option<State> {
    let state = read_in(Some(base), name).ok();
    if !state.as_ref().is_some_and(stays) {
        sweep_one(base, name).then_some(())?;
    }
    state
}

/// Removes what is on record of it.
///
/// # Errors
/// When it runs.
pub fn remove(name: &str) -> Result<()> {
    if let Some(Status::Running(_) | Status::Paused(_)) =
        read(name).ok().map(|state| state.status())
    {
        return Err(anyhow!("remove {name}: it runs"))
            .advice(format!("step11 stop {name}, or rm --force {name}"));
    }
    // Its launcher may be writing down how it has ended.
    folder::settled(name)?;
    let (base, _mutex) = mutex()?;
    if !base.has(name) {
        return Ok(());
    }
    let _lock = hold(&base.open(name)?, FlockArg::LockExclusiveNonblock)
        .with_context(|| format!("remove {name}"))
        .advice("the same again: another command was looking at it")?;
    // A launcher that was killed has left its group, too.
    step07::sweep();
    base.remove(name)
}

/// Is there something to be kept when its launcher is gone?
fn stays(state: &State) -> bool {
    !state.remove
}

/// Removes the folders of launchers that are gone, and left nothing to be
/// kept; where there are many, of some of them.
fn sweep(base: &Folder) {
    step07::sweep();
    let names = names_in(base).unwrap_or_default();
    for name in some_of(&names) {
        sweep_one(base, name);
    }
}

/// Removes one, if it is such a folder. Is it still there?
fn sweep_one(base: &Folder, name: &str) -> bool {
    let Ok(folder) = base.open(name) else { return false };
    if hold(&folder, FlockArg::LockExclusiveNonblock).is_ok() {
        remove_unless_kept(base, name);
    }
    base.has(name)
}

/// The names of all folders. What begins with a dot is a lock.
fn names_in(base: &Folder) -> nix::Result<Vec<String>> {
    let mut names = base.names()?;
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}

fn remove_unless_kept(base: &Folder, name: &str) {
    let is_kept = read_in(Some(base), name).is_ok_and(|state| stays(&state));
    if !is_kept {
        let _ = base.remove(name);
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
