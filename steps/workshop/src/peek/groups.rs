//! The control groups of one process, in version 2 and in version 1.
//!
//! Version 2 is one tree. In version 1 each controller has a tree of its own,
//! and a process is in a group of each (cgroups(7)). A machine may have both.

use std::fs;
use std::path::{Path, PathBuf};

use step00::Proc;
use step00::proc::Mount;

use super::proc::Process;
use crate::text::printable;

/// Where a process is in each tree.
#[derive(Debug)]
pub struct Groups {
    /// (controllers, folder of the tree, path in it); version 2 has no
    /// controllers here.
    places: Vec<(String, PathBuf, PathBuf)>,
}

/// A group on the way from a process's own up to the root of the tree.
#[derive(Debug, Clone)]
pub struct Group {
    /// As /proc/PID/cgroup has it.
    pub name: String,
    /// Is it not the process's own group, but one above that?
    pub is_above: bool,
    folder: PathBuf,
}

impl Groups {
    /// From the text of /proc/PID/cgroup: `NUMBER:CONTROLLERS:PATH`. A path
    /// with `..` leads out of the reader's cgroup namespace: not readable.
    #[must_use]
    pub fn of(text: &str) -> Groups {
        let trees = trees();
        let place = |line: &str| {
            let mut parts = line.splitn(3, ':');
            let (_, list, path) =
                (parts.next()?, parts.next()?, parts.next()?);
            let tree = trees.iter().find(|tree| tree.0 == list)?;
            let path = Path::new(path).strip_prefix(&tree.2).ok()?;
            let leads_out = path.iter().any(|part| part == "..");
            (!leads_out)
                .then(|| (list.to_owned(), tree.1.clone(), path.to_path_buf()))
        };
        Groups { places: text.lines().filter_map(place).collect() }
    }

    /// The process's group for a controller, and all above it. A controller
    /// that is not in version 1 is in version 2.
    pub fn way_up(&self, controller: &str) -> impl Iterator<Item = Group> {
        let has = |list: &str| list.split(',').any(|name| name == controller);
        let first = self.places.iter().find(|(list, ..)| has(list));
        let v2 = || self.places.iter().find(|(list, ..)| list.is_empty());
        let place = first.or_else(v2).cloned();
        place.into_iter().flat_map(|(_, tree, path)| {
            let all: Vec<Group> = path
                .ancestors()
                .map(|above| Group {
                    name: Path::new("/").join(above).display().to_string(),
                    is_above: above != path,
                    folder: tree.join(above),
                })
                .collect();
            all
        })
    }
}

impl Group {
    /// One of its files, if the kernel has that.
    #[must_use]
    pub fn read(&self, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(file)).ok()?;
        Some(text.trim().to_owned())
    }

    /// The names of its files.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.into_string().ok()).collect()
    }

    /// The number that a file holds; `None` for `max` too.
    #[must_use]
    pub fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.parse().ok()
    }

    /// The number after a key.
    #[must_use]
    pub fn value(&self, file: &str, key: &str) -> Option<u64> {
        let text = self.read(file)?;
        let mut pairs = text.lines().filter_map(|l| l.split_once(' '));
        let (_, value) = pairs.find(|(found, _)| *found == key)?;
        value.parse().ok()
    }

    /// The time of how many CPUs it may use: quota divided by period.
    #[must_use]
    pub fn cpus(&self) -> Option<f64> {
        let (quota, period) = match self.read("cpu.max") {
            Some(text) => {
                let (quota, period) = text.split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            }
            // Version 1 says "no limit" with -1.
            None => (
                self.number("cpu.cfs_quota_us")?,
                self.number("cpu.cfs_period_us")?,
            ),
        };
        (period > 0).then(|| quota as f64 / period as f64)
    }

    /// A remark, if a limit is not that of the process's own group.
    #[must_use]
    pub fn whose(&self) -> String {
        match self.is_above {
            true => format!(", shared with all in {}", self.name),
            false => String::new(),
        }
    }
}

/// The control group that it is in, unless that is the root: in version 2, or
/// else the first of version 1.
#[must_use]
pub fn named(process: &Process) -> Option<String> {
    let text = process.read("cgroup").ok()?;
    let paths = text.lines().rev();
    let mut paths = paths.filter_map(|line| line.splitn(3, ':').nth(2));
    paths.find(|path| *path != "/").map(printable)
}

/// The trees that are mounted here: controllers as /proc/PID/cgroup names
/// them, mount point, and which of its groups is mounted there.
fn trees() -> Vec<(String, PathBuf, PathBuf)> {
    let tree = |mount: &Mount| {
        let list = match &*mount.kind {
            "cgroup2" => String::new(),
            "cgroup" => controllers(&mount.super_options),
            _ => return None,
        };
        Some((list, mount.point.clone(), mount.root.clone()))
    };
    let mounts = Proc::own().mounts().unwrap_or_default();
    mounts.iter().filter_map(tree).collect()
}

/// The options of a tree of version 1, of which its controllers are some.
fn controllers(options: &[String]) -> String {
    let ours = options.iter().filter(|option| {
        let is_flag = matches!(
            option.as_str(),
            "rw" | "ro" | "xattr" | "noprefix" | "clone_children"
        );
        !is_flag && !option.starts_with("release_agent=")
    });
    let list: Vec<&str> = ours.map(String::as_str).collect();
    list.join(",")
}
