//! The group of one container, from before its process exists until after
//! its end.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use step00::{Ending, Proc, epilogue};

use crate::Args;
use crate::cgroup;
use crate::limits::{Limits, human};
use crate::place::{MOUNT, PARENT, Place};

/// A group; dropping this removes it.
#[derive(Debug)]
pub struct Handcuffs {
    group: PathBuf,
    folder: File,
}

impl Handcuffs {
    /// Makes a group with the limits that the flags ask for, or returns none
    /// where the machine has no place for one.
    ///
    /// # Errors
    /// When a limit was asked for and cannot be had.
    pub fn lock(args: &Args, folders: &[&Path]) -> Result<Option<Handcuffs>> {
        let base = match Place::find()? {
            Place::Below(base) => base,
            Place::None(why) if args.asks_for_limits() => {
                bail!("{}", why.replace('\n', "\n  "))
            }
            Place::None(_) => return Ok(None),
        };
        let limits = Limits::choose(args, folders)?;
        let handcuffs = Handcuffs::make(&base, &args.controllers())?;
        // From here on, an error removes the group.
        cgroup::limit(&handcuffs.group, &limits)?;
        Ok(Some(handcuffs))
    }

    /// Makes an empty group, which has no limits yet.
    fn make(base: &Path, controllers: &[&str]) -> Result<Handcuffs> {
        // Somebody who ends meanwhile would remove the parent under our feet.
        let _mutex = mutex(base)?;
        let _tidy = Tidy(base);
        let parent = Place::prepare(base, controllers)?;
        remove_abandoned(&parent);
        let group = parent.join(name_of_owner()?);
        fs::create_dir(&group)
            .with_context(|| format!("make the group {}", group.display()))?;
        let folder = File::open(&group)
            .with_context(|| format!("open {}", group.display()))?;
        Ok(Handcuffs { group, folder })
    }

    /// The folder in which clone3 is to place the process.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// After the end: says what was used, and whether the OOM killer came.
    pub fn report(&self, quiet: bool, ending: Ending) {
        let number = |file, key| self.number(file, key);
        let kills = number("memory.events", "oom_kill").unwrap_or(0);
        if kills > 0 && ending == Ending::Killed(libc::SIGKILL) {
            let limit = number("memory.max", "").map_or("max".into(), human);
            epilogue(&format!(
                "OOMKilled: it needed more than {limit} of memory"
            ));
        }
        if quiet {
            return;
        }
        // memory.peak came with Linux 5.19.
        let peak = number("memory.peak", "").map_or("unknown".into(), human);
        let spent = number("cpu.stat", "usage_usec").unwrap_or(0);
        let throttled = number("cpu.stat", "nr_throttled").unwrap_or(0);
        epilogue(&format!(
            "peak memory {peak}, CPU {:.2} s, throttled {throttled} \
             times, OOM kills {kills}",
            spent as f64 / 1e6
        ));
    }

    /// A number in one of the group's files: alone in it, or after its key.
    fn number(&self, file: &str, key: &str) -> Option<u64> {
        let text = fs::read_to_string(self.group.join(file)).ok()?;
        match key {
            "" => text.trim().parse().ok(),
            _ => text.lines().find_map(|line| {
                let (found, number) = line.split_once(' ')?;
                (found == key).then(|| number.parse().ok())?
            }),
        }
    }
}

impl Drop for Handcuffs {
    fn drop(&mut self) {
        end(&self.group);
    }
}

/// Ends and removes the group that this process has made, or was about to
/// make: for a guardian, which is a copy of it and outlives it (step00).
pub fn last_resort() -> Result<impl FnOnce()> {
    let name = name_of_owner()?;
    Ok(move || {
        let Ok(Place::Below(base)) = Place::find() else { return };
        let group = base.join(PARENT).join(name);
        if group.exists() {
            end(&group);
        }
    })
}

/// cgroup.kill (Linux 5.14) ends whatever is left in the group. A process
/// that is dying is still in it, so wait for the kernel to say it is empty.
fn end(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
    if let Ok(events) = File::open(group.join("cgroup.events")) {
        while is_populated(group) {
            let fd = PollFd::new(events.as_fd(), PollFlags::POLLPRI);
            let _ = poll(&mut [fd], PollTimeout::from(100u8));
        }
    }
    let _ = fs::remove_dir(group);
    let base = group.ancestors().nth(2).unwrap_or(Path::new(MOUNT));
    if let Ok(_mutex) = mutex(base) {
        drop(Tidy(base));
    }
}

/// Takes the parent away if there is no group in it: if this was the last one,
/// or could not be made. All others get EBUSY.
struct Tidy<'a>(&'a Path);

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join(PARENT));
    }
}

/// One launcher at a time makes or removes the parent. flock(2) works on every
/// file, and on this folder too.
fn mutex(base: &Path) -> Result<Flock<File>> {
    let folder = File::open(base)
        .with_context(|| format!("open {}", base.display()))?;
    Flock::lock(folder, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("lock {}", base.display()))
}

/// The groups below `parent` whose launcher was killed and could not remove
/// them. A group whose processes are still dying is for the next time.
fn abandoned(parent: &Path) -> Vec<PathBuf> {
    let groups = fs::read_dir(parent).into_iter().flatten().flatten();
    let groups = groups.map(|entry| entry.path()).filter(|path| path.is_dir());
    let is_left = |group: &PathBuf| !has_owner(group) && !is_populated(group);
    groups.filter(is_left).collect()
}

/// Removes the groups of launchers that were killed.
pub fn sweep() {
    let Ok(Place::Below(base)) = Place::find() else { return };
    if base.join(PARENT).exists() {
        if let Ok(_mutex) = mutex(&base) {
            remove_abandoned(&base.join(PARENT));
            drop(Tidy(&base));
        }
    }
}

/// If somebody else is quicker, so be it.
fn remove_abandoned(parent: &Path) {
    for group in abandoned(parent) {
        let _ = fs::remove_dir(group);
    }
}

/// Everything that `cargo workshop clean` may remove of groups, in the order
/// in which it can be removed: at last the parent, if nobody uses it.
pub fn leftovers() -> Vec<PathBuf> {
    let parent = Path::new(MOUNT).join(PARENT);
    let mut groups = abandoned(&parent);
    let all = fs::read_dir(&parent).into_iter().flatten().flatten();
    if parent.is_dir()
        && all.filter(|entry| entry.path().is_dir()).count() == groups.len()
    {
        groups.push(parent);
    }
    groups
}

/// PIDs are used again; a PID and the time at which it was started are not.
fn name_of_owner() -> Result<String> {
    let pid = std::process::id();
    let start = start_time(pid).context("find when this process started")?;
    Ok(format!("{pid}-{start}"))
}

fn has_owner(group: &Path) -> bool {
    let name = group.file_name().unwrap_or_default().to_string_lossy();
    let Some((pid, start)) = name.split_once('-') else { return true };
    let (Ok(pid), Ok(start)) = (pid.parse(), start.parse::<u64>()) else {
        return true; // not a name that we have given
    };
    // A zombie has ended, and is only waiting to be waited for.
    let owner = Proc::of(Pid::from_raw(pid)).stat();
    owner.is_ok_and(|owner| {
        owner.start_time == start && !matches!(owner.state, 'Z' | 'X')
    })
}

/// When a process was started, in clock ticks since boot; `None` when there is
/// no such process.
pub fn start_time(pid: u32) -> Option<u64> {
    Proc::of(Pid::from_raw(pid as i32)).start_time().ok()
}

fn is_populated(group: &Path) -> bool {
    let events = fs::read_to_string(group.join("cgroup.events"));
    events.is_ok_and(|events| events.contains("populated 1"))
}
