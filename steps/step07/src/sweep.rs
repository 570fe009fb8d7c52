//! The removal of groups that are not used any more: a launcher's own at its
//! end, and those of launchers that were killed.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use step00::Proc;
use step00::lock::{Lock, some_of};

use crate::events::wait_for;
use crate::place::{MOUNT, PARENT, Place};

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

/// cgroup.kill (Linux 5.14) ends all that is left in the group. A process that
/// is dying is still in it, so wait for the kernel to say it is empty.
pub(crate) fn end(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
    let _ = wait_for(group, "populated 0", Duration::MAX);
    let _ = fs::remove_dir(group);
    let base = group.ancestors().nth(2).unwrap_or(Path::new(MOUNT));
    if let Ok(_mutex) = mutex() {
        drop(Tidy(base));
    }
}

/// Takes the parent away if there is no group in it: if this was the last one,
/// or could not be made. All others get EBUSY.
pub(crate) struct Tidy<'a>(pub(crate) &'a Path);

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join(PARENT));
    }
}

/// One launcher at a time makes or removes the parent. (The lock is on a file
/// of our own. The folder of all groups could be locked, but by everybody.)
pub(crate) fn mutex() -> Result<Lock> {
    Lock::take(".groups")
}

/// The groups below `parent` whose launcher was killed and could not remove
/// them. A group whose processes are still dying is for the next time.
fn abandoned(parent: &Path) -> Vec<PathBuf> {
    groups_in(parent).into_iter().filter(|it| is_abandoned(it)).collect()
}

fn groups_in(parent: &Path) -> Vec<PathBuf> {
    let groups = fs::read_dir(parent).into_iter().flatten().flatten();
    let is_dir =
        |entry: &DirEntry| entry.file_type().is_ok_and(|t| t.is_dir());
    groups.filter(is_dir).map(|entry| entry.path()).collect()
}

fn is_abandoned(group: &Path) -> bool {
    !has_owner(group) && !is_populated(group)
}

/// Removes the groups of launchers that were killed.
pub fn sweep() {
    let Ok(Place::Below(base)) = Place::find() else { return };
    if base.join(PARENT).exists() {
        if let Ok(_mutex) = mutex() {
            remove_abandoned(&base.join(PARENT));
            drop(Tidy(&base));
        }
    }
}

/// Removes them, or where there are many groups, what is abandoned of some.
/// Another launcher may be quicker, and that is no error.
pub(crate) fn remove_abandoned(parent: &Path) {
    let groups = groups_in(parent);
    for group in some_of(&groups).filter(|group| is_abandoned(group)) {
        let _ = fs::remove_dir(group);
    }
}

/// Everything that `cargo workshop clean` may remove of groups, in the order
/// in which it can be removed: the parent last, if it is not used.
pub fn leftovers() -> Vec<PathBuf> {
    left_in(Path::new(MOUNT).join(PARENT))
}

fn left_in(parent: PathBuf) -> Vec<PathBuf> {
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
pub(crate) fn name_of_owner() -> Result<String> {
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use witness::{Folder, eventually, process};

    use super::*;

    fn make(parent: &Folder, name: &str, is_populated: bool) -> PathBuf {
        let group = parent.join(name);
        fs::create_dir(&group).expect("make a group");
        if is_populated {
            let text = "populated 1\nfrozen 0\n";
            fs::write(group.join("cgroup.events"), text).expect("write");
        }
        group
    }

    fn sorted(mut groups: Vec<PathBuf>) -> Vec<PathBuf> {
        groups.sort();
        groups
    }

    #[test]
    fn what_has_neither_owner_nor_process_is_abandoned() {
        let parent = Folder::new();
        let (pid, own) =
            (std::process::id(), name_of_owner().expect("a name"));
        let start = start_time(pid).expect("this process's");
        assert_eq!(own, format!("{pid}-{start}"));
        assert_eq!(start_time(u32::MAX >> 1), None, "there is no such PID");
        let mut zombie = Command::new("true").spawn().expect("start one");
        let number = zombie.id();
        eventually("a zombie", || process::state(number as i32) == Some('Z'));
        let ended = start_time(number).expect("a zombie's");
        // Kept: ours, one with processes, and what we have not named.
        let used = format!("{pid}-{}", start + 2);
        make(&parent, &own, false);
        make(&parent, &used, true);
        for name in ["somebody", "x-7", "7-x"] {
            make(&parent, name, false);
        }
        assert_eq!(abandoned(parent.path()), [""; 0].map(PathBuf::from));
        assert_eq!(left_in(parent.path().into()), [""; 0].map(PathBuf::from));
        // Another process had our number, one is a zombie, one is gone.
        let left = [
            format!("{pid}-{}", start + 1),
            format!("{number}-{ended}"),
            format!("{}-1", u32::MAX >> 1),
        ];
        let left = left.map(|name| make(&parent, &name, false));
        let left = sorted(left.to_vec());
        assert_eq!(sorted(abandoned(parent.path())), left);
        assert_eq!(sorted(left_in(parent.path().into())), left);
        remove_abandoned(parent.path());
        assert!(left.iter().all(|group| !group.exists()));
        let kept = fs::read_dir(parent.path()).expect("list it").count();
        assert_eq!(kept, 5, "the control");
        zombie.wait().expect("reap it");
    }

    #[test]
    fn the_parent_is_a_leftover_if_nobody_uses_it() {
        let parent = Folder::new();
        let left = make(&parent, &format!("{}-1", u32::MAX >> 1), false);
        let all = vec![left, parent.path().into()];
        assert_eq!(left_in(parent.path().into()), all, "the last one");
        let gone = parent.join("gone");
        assert_eq!(left_in(gone), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn the_parent_goes_with_the_last_group() {
        let base = Folder::new();
        let group = base.join("workshop/7-7");
        fs::create_dir_all(&group).expect("make a group");
        drop(Tidy(base.path()));
        assert!(group.exists(), "the control: it is in use");
        // A folder that stands for one has no cgroup.kill, and goes as it is.
        fs::remove_dir(&group).expect("remove it");
        drop(Tidy(base.path()));
        assert!(!base.join("workshop").exists());
    }
}
