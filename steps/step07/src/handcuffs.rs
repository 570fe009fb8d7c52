//! The group of one container, from before its process exists until after
//! its end.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use step00::{Advice, Ending, Outcome, Stage, epilogue};
use step03::volumes::Volume;
use step04::Image;

use crate::belt::Belt;
use crate::limits::Limits;
use crate::place::{Place, let_all_enter};
use crate::quantities::human;
use crate::sweep::{Tidy, end, mutex, name_of_owner, remove_abandoned};
use crate::{Args, cgroup};

/// A group; dropping this removes it.
#[derive(Debug)]
pub struct Handcuffs {
    group: PathBuf,
    folder: File,
}

/// Makes a group with the limits that the flags ask for, or returns none where
/// the machine has no place for one.
///
/// # Errors
/// When a limit was asked for and cannot be had.
pub fn put_on(
    args: &Args,
    image: &Image,
    volumes: &[Volume],
) -> Result<Option<Handcuffs>> {
    let trees = image.upper.iter().chain(volumes.iter().map(|v| &v.tree));
    let folders: Vec<&Path> = trees.map(|tree| tree.path.as_path()).collect();
    Handcuffs::find_and_make(args, &folders)
}

/// Has the process born in its group, if it has one.
pub fn set_stage<'a>(stage: &mut Stage<'a>, handcuffs: &'a Option<Handcuffs>) {
    stage.cgroup = handcuffs.as_ref().map(|own| own.folder.as_fd());
}

/// After the end: one line on what was used, and one if the OOM killer came.
pub fn report(
    args: &step00::Args,
    handcuffs: &Option<Handcuffs>,
    outcome: &Outcome,
) {
    if let Some(own) = handcuffs {
        let lines = own.last_words(args.quiet, outcome.ending);
        lines.iter().for_each(|line| epilogue(line));
    }
}

/// Did the command end because its group was at its limit of memory? To be
/// asked as long as the group is there: the kernel counts in its
/// memory.events, and the folder goes with it.
pub fn is_oom_killed(
    handcuffs: &Option<Handcuffs>,
    outcome: &Outcome,
) -> bool {
    handcuffs.as_ref().is_some_and(|own| own.is_oom_killed(outcome.ending))
}

impl Handcuffs {
    /// The same, for the folders on disks that the container can write to.
    fn find_and_make(
        args: &Args,
        folders: &[&Path],
    ) -> Result<Option<Handcuffs>> {
        let base = match Place::find()? {
            Place::Below(base) => base,
            Place::None { why, advice } if args.asks_for_limits() => {
                return Err(Error::msg(why)).advice(advice);
            }
            Place::None { .. } => return Ok(None),
        };
        let limits = Limits::choose(args, folders)?;
        let handcuffs = Handcuffs::make(&base, &args.controllers())?;
        // From here on, an error removes the group.
        let_all_enter(&handcuffs.group)?;
        cgroup::limit(&handcuffs.group, &limits)?;
        limits.write_rare_ones(&handcuffs.group)?;
        Ok(Some(handcuffs))
    }

    /// Makes an empty group, which has no limits yet.
    fn make(base: &Path, controllers: &[&str]) -> Result<Handcuffs> {
        // Without the lock, a launcher that ends meanwhile could remove the
        // parent.
        let _mutex = mutex()?;
        let _tidy = Tidy(base);
        let _belt = Belt::fasten(base);
        let parent = Place::prepare(base, controllers)?;
        remove_abandoned(&parent);
        let group = parent.join(name_of_owner()?);
        let folder = cgroup::make(&group)?;
        Ok(Handcuffs { group, folder })
    }

    /// That it was the OOM killer is said in any case.
    fn last_words(&self, quiet: bool, ending: Ending) -> Vec<String> {
        let used = (!quiet).then(|| self.use_made());
        self.death(ending).into_iter().chain(used).collect()
    }

    /// Was it the OOM killer who ended it?
    fn death(&self, ending: Ending) -> Option<String> {
        let limit = self.number("memory.max", "").map_or("max".into(), human);
        self.is_oom_killed(ending).then(|| {
            format!("OOMKilled: it needed more than {limit} of memory")
        })
    }

    fn use_made(&self) -> String {
        let number = |file, key| self.number(file, key);
        // memory.peak came with Linux 5.19.
        let peak = number("memory.peak", "").map_or("unknown".into(), human);
        let spent = number("cpu.stat", "usage_usec").unwrap_or(0);
        let throttled = number("cpu.stat", "nr_throttled").unwrap_or(0);
        format!(
            "peak memory {peak}, CPU {:.2} s, throttled {throttled} \
             times, OOM kills {}",
            spent as f64 / 1e6,
            self.oom_kills()
        )
    }

    /// How many of its processes the OOM killer has taken.
    fn oom_kills(&self) -> u64 {
        self.number("memory.events", "oom_kill").unwrap_or(0)
    }

    fn is_oom_killed(&self, ending: Ending) -> bool {
        ending == Ending::Killed(libc::SIGKILL) && self.oom_kills() > 0
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

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;

    /// A folder that stands for a group. (Its files keep it from being removed
    /// as one; the witness removes them.)
    fn group(base: &Folder, files: &[(&str, &str)]) -> Handcuffs {
        let handcuffs = Handcuffs::make(base.path(), &["pids"]);
        let handcuffs = handcuffs.expect("make a group");
        for (name, text) in files {
            fs::write(handcuffs.group.join(name), text).expect(name);
        }
        handcuffs
    }

    #[test]
    fn a_group_is_made_below_the_parent_and_named_after_us() {
        let base = Folder::new();
        let handcuffs = group(&base, &[]);
        let name = name_of_owner().expect("a name");
        assert_eq!(handcuffs.group, base.join("workshop").join(name));
        assert!(handcuffs.group.is_dir());
        let handed = base.join("workshop/cgroup.subtree_control");
        assert_eq!(fs::read_to_string(handed).expect("a file"), "+pids");
        let group = handcuffs.group.clone();
        drop(handcuffs);
        // The kernel's file: in a folder it has just been made.
        let killed = fs::read_to_string(group.join("cgroup.kill"));
        assert_eq!(killed.expect("who is left is killed"), "1");
    }

    #[test]
    fn what_was_used_is_told_and_whose_work_the_end_was() {
        let base = Folder::new();
        let events = "low 0\noom 3\noom_kill 2\n";
        let files = [
            ("memory.events", events),
            ("memory.max", "67108864\n"),
            ("memory.peak", "1536\n"),
            ("cpu.stat", "usage_usec 2500000\nnr_throttled 4\n"),
        ];
        let handcuffs = group(&base, &files);
        let killed = Ending::Killed(libc::SIGKILL);
        let death = "OOMKilled: it needed more than 64M of memory";
        assert_eq!(handcuffs.death(killed).as_deref(), Some(death));
        assert_eq!(handcuffs.death(Ending::Exited(0)), None);
        let used = "peak memory 1.5K, CPU 2.50 s, throttled 4 times, OOM \
                    kills 2";
        assert_eq!(handcuffs.use_made(), used);
        assert_eq!(handcuffs.last_words(false, killed), [death, used]);
        assert_eq!(handcuffs.last_words(true, killed), [death]);
        // The control: killed by somebody else, on a kernel before 5.19.
        let files = ["memory.events", "memory.peak", "cpu.stat"];
        for name in files {
            fs::write(handcuffs.group.join(name), "").expect(name);
        }
        assert_eq!(handcuffs.death(killed), None);
        let used = "peak memory unknown, CPU 0.00 s, throttled 0 times, OOM \
                    kills 0";
        assert_eq!(handcuffs.use_made(), used);
    }
}
