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

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use step00::folder::Folder;
use step00::{Advice, Ending, Guardian, Running};

use crate::flags::Run;
use crate::folder::{hold, mutex};
use crate::state::{self, Ended, State, read};

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
    /// Claims a name: the one that is wanted, or the first of box1, box2 …
    ///
    /// # Errors
    /// When a container of that name is on record.
    pub fn claim(wanted: Option<&str>) -> Result<Record> {
        let (base, _mutex) = mutex()?;
        sweep(&base);
        // A folder that was made, and whose lock nobody holds by now.
        Record::claim_below(&base, wanted).inspect_err(|_| sweep(&base))
    }

    fn claim_below(base: &Folder, wanted: Option<&str>) -> Result<Record> {
        let name = match wanted {
            Some(name) => name.to_owned(),
            None => (1..)
                .map(|number| format!("box{number}"))
                .find(|name| !base.has(name))
                .context("find a name")?,
        };
        match base.make(&name) {
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
        let lock = hold(&folder, FlockArg::LockExclusiveNonblock)?;
        let (kept, gone) = (lock.as_fd(), name.clone());
        let end_group = step07::last_resort()?;
        let guardian = Guardian::start(Some(kept), move || {
            let Ok((base, _mutex)) = mutex() else { return };
            if remove_unless_kept(&base, &gone) {
                end_group();
            }
        })?;
        Ok(Record { name, folder, guardian: Some(guardian), _lock: lock })
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
    pub fn begin(&mut self, running: &Running, args: &Run) -> Result<State> {
        let pid = running.process.pid.as_raw();
        let state = State {
            name: self.name.clone(),
            command: running.command.arguments.iter().map(text).collect(),
            flags: flags(&args.typed),
            env: step03::variables(&args.root)?,
            image: args.overlay.image.clone(),
            workdir: args.root.workdir.clone(),
            default_user: args.overlay.default_user.clone(),
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

    /// The container has ended: waits for its last words in the log, and writes
    /// down how. All processes inside are dead by now, so both come. Where that cannot be (a full
    /// /run), it is said, and the command has ended as it has: others will
    /// take the container for lost.
    pub fn end(
        &mut self,
        mut state: State,
        ending: Ending,
        log: Option<JoinHandle<()>>,
    ) {
        let _ = log.map(JoinHandle::join);
        let status = ending.status();
        state.ended = Some(Ended { status, at: now() });
        if let Err(error) = self.write(&state) {
            step00::epilogue(&format!("{error:#}"));
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
    sweep(&base);
    let names = base.names().context("list what is on record")?;
    drop(mutex);
    let states = names.iter().filter_map(|name| read(name).ok());
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
    if !base.has(name) {
        return Ok(());
    }
    let folder = base.open(name)?;
    let _lock = hold(&folder, FlockArg::LockExclusiveNonblock)
        .with_context(|| format!("{name} runs"))
        .advice(format!("step11 stop {name}, or rm --force {name}"))?;
    base.remove(name)
}

/// Is there something to be kept when its launcher is gone?
fn stays(state: &State) -> bool {
    state.detached && !state.remove
}

/// The folders of launchers that are gone, and left nothing to be kept.
fn sweep(base: &Folder) {
    step07::sweep();
    for name in base.names().unwrap_or_default() {
        // What begins with a dot is a lock.
        let Ok(folder) = base.open(&name) else { continue };
        if hold(&folder, FlockArg::LockExclusiveNonblock).is_ok() {
            remove_unless_kept(base, &name);
        }
    }
}

/// Returns whether it was removed.
fn remove_unless_kept(base: &Folder, name: &str) -> bool {
    let kept = read(name).is_ok_and(|state| stays(&state));
    if !kept {
        let _ = base.remove(name);
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
