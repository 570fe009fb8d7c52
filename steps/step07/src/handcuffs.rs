//! The group of one container, from before its process exists until after
//! its end.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use step00::{Advice, Ending, Outcome, Stage, epilogue};
use step03::volumes::Volume;
use step04::Image;

use crate::limits::Limits;
use crate::place::Place;
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
    if let Some(handcuffs) = handcuffs {
        handcuffs.report(args.quiet, outcome.ending);
    }
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
        let parent = Place::prepare(base, controllers)?;
        remove_abandoned(&parent);
        let group = parent.join(name_of_owner()?);
        let folder = cgroup::make(&group)?;
        Ok(Handcuffs { group, folder })
    }

    fn report(&self, quiet: bool, ending: Ending) {
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
