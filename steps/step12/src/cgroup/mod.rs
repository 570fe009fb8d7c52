//! The handcuffs of step07, as config.json asks for them (config-linux.md,
//! "Control groups"), on machines with cgroup v2, with v1, and with both.
//!
//! - [`Cgroup`] - a container's group, or its groups: v1 has a tree for each
//!   controller. It is kept in state.json, for the commands that come later.
//! - `place` - where they are, from linux.cgroupsPath.
//! - `v2`, `v1`, `fields`, `convert` - resources as the kernel's files.
//! - `devices` - which devices may be opened and made.
//! - `systemd` - groups that are systemd's to make.
//! - `folders` - the making and the removing.
//! - `processes`, `freezer` - who is in it; standing still, going on.
//! - `stats`, [`OomNotifier`] - what is used, and when memory is at its end.
//!
//! Not promised: the groups above the container's. They are made where they
//! are missing, and stay: other containers may be in them.

mod convert;
mod devices;
mod fields;
mod files;
mod folders;
mod freezer;
mod oom;
mod place;
mod processes;
mod stats;
mod systemd;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::config::resources::Resources;
use devices::Rule;
use files::{Setting, read_if_any, write_all};
use folders::Made;
use place::{Groups, UNIFIED};
use systemd::Unit;

pub(crate) use place::own_in_v1;

pub use oom::{Event, OomNotifier};
pub use processes::Doors;

/// A container's group. Its folders need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// The folder in each tree.
    groups: Groups,
    /// The trees are those of v1, with or without that of v2 beside them.
    is_v1: bool,
    /// config.json names it, so it is not to be done without.
    is_named: bool,
    /// systemd makes it.
    unit: Option<Unit>,
}

impl Cgroup {
    /// Finds out where a container's groups will be. Nothing is made.
    ///
    /// Without `cgroups_path` they are named after the container. With
    /// `systemd` the path is `SLICE:PREFIX:NAME`.
    ///
    /// # Errors
    /// A path that leads up, or names no group; a machine without cgroups.
    pub fn choose(
        cgroups_path: Option<&str>,
        id: &str,
        systemd: bool,
    ) -> Result<Cgroup> {
        let path = cgroups_path.filter(|path| !path.is_empty());
        let unit = systemd.then(|| Unit::choose(path, id)).transpose()?;
        let groups = match &unit {
            Some(unit) => place::in_all_trees(&unit.group()?)?,
            None => place::in_all_trees(path.unwrap_or(id))?,
        };
        let (is_v1, is_named) = (!place::has_v2(), path.is_some());
        Ok(Cgroup { groups, is_v1, is_named, unit })
    }

    /// Makes the groups, with their limits, before there is a process.
    ///
    /// # Errors
    /// A field that this machine cannot do, or a number that the kernel does
    /// not accept; EACCES or EROFS where groups are not ours to make. On an
    /// error nothing is left. Without the rights, and where config.json names
    /// no group and no limit, the container does without.
    pub fn make(&self, resources: &Resources) -> Result<()> {
        let plan = self.plan(resources)?;
        let rules = devices::rules(&resources.devices)?;
        self.check_is_free()?;
        match self.unit {
            // It makes no unit without a process: see `enter`.
            Some(_) => Ok(()),
            None => self.build(&plan, &rules),
        }
    }

    /// Is nobody in there? A group is one container's.
    ///
    /// # Errors
    /// When there are processes; EACCES.
    pub fn check_is_free(&self) -> Result<()> {
        ensure!(
            self.processes()?.is_empty(),
            "there are processes in the container's group already"
        );
        Ok(())
    }

    /// Makes the folders that are missing, and writes the limits.
    fn build(&self, plan: &Plan, rules: &[Rule]) -> Result<()> {
        let mut made = Made::default();
        for group in self.folders() {
            match made.make(group, self.is_v1) {
                Err(error) if self.can_do_without(plan, &error) => {}
                done => done?,
            }
        }
        self.write(plan)?;
        if let Some(group) = self.devices() {
            devices::apply(group, !self.is_v1, rules)?;
        }
        made.keep();
        Ok(())
    }

    /// The folder in which a process is to be born (CLONE_INTO_CGROUP): that
    /// of v2, alone or beside v1. None with systemd (see [`Cgroup::enter`]), or
    /// where there is no such group.
    ///
    /// # Errors
    /// EACCES.
    pub fn folder(&self) -> Result<Option<File>> {
        match self.unit {
            Some(_) => Ok(None),
            None => self.open(),
        }
    }

    fn open(&self) -> Result<Option<File>> {
        let Some(group) = self.tree(UNIFIED) else { return Ok(None) };
        match File::open(group) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => file
                .map(Some)
                .with_context(|| format!("open {}", group.display())),
        }
    }

    /// The same for one more process beside another, `init`. A container that
    /// hands controllers on to groups of its own can have no process in its
    /// group itself; then it is the group in which init is.
    ///
    /// # Errors
    /// EACCES; ENOENT when init has ended.
    pub fn folder_beside(&self, init: Pid) -> Result<Option<File>> {
        let Some(own) = self.v2() else { return Ok(None) };
        match read_if_any(own, "cgroup.subtree_control").as_deref() {
            None | Some("") => self.open(),
            Some(_) => place::folder_of(init).map(Some),
        }
    }

    /// With systemd: puts a process that waits into its groups, which are made
    /// only now, with their limits.
    ///
    /// # Errors
    /// ESRCH when it has ended, EACCES; what systemd answers. On an error
    /// nothing is left of what was made here.
    pub fn enter(&self, pid: Pid, resources: &Resources) -> Result<()> {
        // The others: see `folder` and `doors`.
        let Some(unit) = &self.unit else { return Ok(()) };
        let plan = self.plan(resources)?;
        let rules = devices::rules(&resources.devices)?;
        unit.start(pid, &all_of(&plan), &rules)?;
        let done = self.build(&plan, &rules).and_then(|()| self.join(pid));
        if done.is_err() {
            let _ = unit.stop();
        }
        done
    }

    /// The doors of the groups of v1, for [`Doors::walk_in`].
    ///
    /// # Errors
    /// EACCES, EMFILE.
    pub fn doors(&self) -> Result<Doors> {
        let is_ours = self.is_v1 && self.unit.is_none();
        let groups = self.folders().filter(|_| is_ours);
        Doors::open(groups.filter(|group| group.exists()))
    }

    /// Puts one more process into them.
    ///
    /// # Errors
    /// ESRCH when it has ended, EACCES.
    pub fn join(&self, pid: Pid) -> Result<()> {
        for group in self.folders().filter(|group| group.exists()) {
            processes::put(group, pid)?;
        }
        Ok(())
    }

    /// Changes the limits that are named, and no others.
    ///
    /// # Errors
    /// As [`Cgroup::make`]. What was written before the error stays.
    pub fn apply(&self, resources: &Resources) -> Result<()> {
        let plan = self.plan(resources)?;
        let memory = resources.memory.as_ref();
        if memory.is_some_and(|it| it.check_before_update == Some(true)) {
            self.check_usage(resources)?;
        }
        let rules = match resources.devices.is_empty() {
            true => None,
            false => Some(devices::rules(&resources.devices)?),
        };
        if let Some(unit) = &self.unit {
            unit.change(&all_of(&plan), rules.as_deref())?;
        }
        self.write(&plan)?;
        match (self.devices(), rules) {
            (Some(group), Some(rules)) => {
                devices::apply(group, !self.is_v1, &rules)
            }
            _ => Ok(()),
        }
    }

    /// All processes, also in groups that the container has made.
    ///
    /// # Errors
    /// EACCES.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        processes::below(self.main()?)
    }

    /// Sends a signal to all processes. SIGKILL ends those that stand still
    /// ([`Cgroup::freeze`]), and those that are being made at the moment.
    ///
    /// # Errors
    /// EPERM, EINVAL when there is no such signal.
    pub fn kill(&self, signal: i32) -> Result<()> {
        processes::kill(self.main()?, self.freezer(), self.is_v1, signal)
    }

    /// Has all processes stand still, or go on, and waits until they do.
    ///
    /// # Errors
    /// ENOENT when there is no such group, ETIME after 10 seconds.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let group = self.freezer().context("there is no freezer")?;
        freezer::set(group, self.is_v1, frozen)
    }

    /// Do they stand still? Not where there is no such group.
    pub fn is_frozen(&self) -> bool {
        let group = self.freezer();
        group.is_some_and(|group| freezer::is_frozen(group, self.is_v1))
    }

    /// What is used, in the JSON of runc's `events --stats` (`data`).
    ///
    /// # Errors
    /// EACCES.
    pub fn stats(&self) -> Result<serde_json::Value> {
        let processes = self.processes()?.len();
        Ok(stats::read(&self.groups, self.is_v1, processes))
    }

    /// Tells from now on when memory is at its end.
    ///
    /// # Errors
    /// ENOENT when there is no such group, or no controller for memory in it.
    pub fn oom_notifier(&self) -> Result<OomNotifier> {
        let group = self.tree("memory");
        let group = group.context("this machine has no controller memory")?;
        OomNotifier::new(group, self.is_v1)
    }

    /// How many processes have been killed for their memory.
    pub fn oom_kills(&self) -> u64 {
        let group = self.tree("memory");
        group.map_or(0, |group| oom::count(group, self.is_v1))
    }

    /// Removes the groups, and those that the container has made in them.
    /// Where there are none, all is well.
    ///
    /// # Errors
    /// EBUSY when there is still a process in one after some seconds.
    pub fn remove(&self) -> Result<()> {
        let stopped = self.unit.as_ref().map_or(Ok(()), Unit::stop);
        let remove = |group| folders::remove(group, self.is_v1);
        let removed: Vec<Result<()>> = self.folders().map(remove).collect();
        removed.into_iter().chain([stopped]).collect()
    }

    /// Each folder once.
    fn folders(&self) -> impl Iterator<Item = &Path> {
        let all: BTreeSet<&PathBuf> = self.groups.values().collect();
        all.into_iter().map(PathBuf::as_path)
    }

    /// The tree in which one looks for processes: all are in each.
    fn main(&self) -> Result<&Path> {
        let first = ["devices", "freezer", "pids", "memory", UNIFIED];
        let main = first.iter().find_map(|tree| self.groups.get(*tree));
        let main = main.or(self.groups.values().next());
        main.map(PathBuf::as_path).context("the container has no cgroup")
    }

    /// The one folder, on a machine with v2 alone.
    fn v2(&self) -> Option<&Path> {
        self.tree(UNIFIED).filter(|_| !self.is_v1)
    }

    fn devices(&self) -> Option<&Path> {
        self.tree("devices").filter(|group| group.exists())
    }

    fn freezer(&self) -> Option<&Path> {
        self.tree("freezer")
    }

    /// The folder of a controller: v2 has one for all.
    fn tree(&self, controller: &str) -> Option<&Path> {
        let tree = if self.is_v1 { controller } else { UNIFIED };
        self.groups.get(tree).map(PathBuf::as_path)
    }

    /// What is to be written where. Nothing is written yet: what makes no
    /// sense is found before anything is made.
    fn plan(&self, resources: &Resources) -> Result<Plan> {
        let mut plan = Plan::new();
        if let Some(group) = self.v2() {
            let now = |file: &str| read_if_any(group, file);
            plan.push((group.to_owned(), v2::settings(resources, now)?));
        } else {
            for (tree, settings) in v1::settings(resources)? {
                let group = self.groups.get(tree).with_context(|| {
                    let field = &settings[0].field;
                    format!(
                        "linux.resources.{field}: this machine has no \
                         controller {tree}"
                    )
                })?;
                plan.push((group.clone(), settings));
            }
        }
        plan.retain(|(_, settings)| !settings.is_empty());
        Ok(plan)
    }

    fn write(&self, plan: &Plan) -> Result<()> {
        plan.iter().try_for_each(|(group, all)| write_all(group, all))
    }

    /// May a group be missing that this process has no right to make?
    fn can_do_without(&self, plan: &Plan, error: &anyhow::Error) -> bool {
        let is_mine = devices::is_machines_root().unwrap_or(true);
        let is_needed = self.is_named || !plan.is_empty() || is_mine;
        !is_needed && folders::is_refused(error)
    }

    /// Is more in use than the new limit allows?
    fn check_usage(&self, resources: &Resources) -> Result<()> {
        let memory = resources.memory.clone().unwrap_or_default();
        let file = match self.is_v1 {
            true => "memory.usage_in_bytes",
            false => "memory.current",
        };
        let group = self.tree("memory");
        let used = group.and_then(|group| files::number(group, file));
        let limits = [("limit", memory.limit), ("swap", memory.swap)];
        for (field, limit) in limits {
            let limit = limit.and_then(|limit| u64::try_from(limit).ok());
            if let (Some(used), Some(limit @ 1..)) = (used, limit) {
                ensure!(
                    limit > used,
                    "linux.resources.memory.{field}: {limit} bytes are less \
                     than the {used} in use"
                );
            }
        }
        Ok(())
    }
}

/// What is to be written, and in which group.
type Plan = Vec<(PathBuf, Vec<Setting>)>;

fn all_of(plan: &Plan) -> Vec<Setting> {
    plan.iter().flat_map(|(_, settings)| settings.clone()).collect()
}
