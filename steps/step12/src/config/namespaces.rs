//! The blindfolds, as config.json names them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use step06::mapping::Mapping;

use super::Config;

/// Each kind by the name that config.json has for it.
pub const KINDS: [(&str, i32); 8] = [
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("uts", libc::CLONE_NEWUTS),
    ("ipc", libc::CLONE_NEWIPC),
    ("network", libc::CLONE_NEWNET),
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("time", libc::CLONE_NEWTIME),
];

/// One of them: to be made, or to be joined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    /// `pid`, `network`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The file that stands for one that is there, to be joined.
    pub path: Option<PathBuf>,
}

/// A range of users or groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    /// The first number inside.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// The first number outside.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

impl From<IdMapping> for Mapping {
    fn from(it: IdMapping) -> Mapping {
        let (inside, outside) = (it.container_id, it.host_id);
        Mapping { inside, outside, count: it.size }
    }
}

/// By how much a clock differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct TimeOffset {
    /// Seconds.
    #[serde(default)]
    pub secs: i64,
    /// And nanoseconds.
    #[serde(default)]
    pub nanosecs: u32,
}

impl Namespace {
    /// The kernel's flag for its kind: CLONE_NEW*.
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn flag(&self) -> Result<i32> {
        let known = KINDS.iter().find(|(name, _)| *name == self.kind);
        known
            .map(|(_, flag)| *flag)
            .with_context(|| format!("no kind of namespace: {:?}", self.kind))
            .context("linux.namespaces")
    }

    /// Where to find the one that is to be joined.
    pub fn joined(&self) -> Option<&Path> {
        let path = self.path.as_deref();
        path.filter(|path| !path.as_os_str().is_empty())
    }
}

impl Config {
    /// The namespace of this kind, if it is named.
    pub fn namespace(&self, flag: i32) -> Option<&Namespace> {
        let mut all = self.linux.namespaces.iter();
        all.find(|it| it.flag().is_ok_and(|its| its == flag))
    }

    /// Is one of this kind to be made?
    pub fn makes(&self, flag: i32) -> bool {
        self.namespace(flag).is_some_and(|it| it.joined().is_none())
    }
}

/// # Errors
/// For a kind that is none or is named twice, and for what needs a namespace
/// of its own and would change the machine without one.
pub(super) fn check(config: &Config) -> Result<()> {
    let linux = &config.linux;
    for (at, one) in linux.namespaces.iter().enumerate() {
        let flag = one.flag()?;
        let is_same = |other: &Namespace| other.flag().ok() == Some(flag);
        if linux.namespaces[..at].iter().any(is_same) {
            bail!("linux.namespaces has {:?} twice", one.kind);
        }
        if let Some(path) = one.joined() {
            ensure!(
                path.is_absolute(),
                "linux.namespaces: {:?} is no absolute path",
                path
            );
        }
    }
    let needs = |what: &str, is_there: bool, kind: &str, flag| {
        let is_alone = config.namespace(flag).is_some();
        ensure!(!is_there || is_alone, "{what} needs a {kind} namespace");
        Ok(())
    };
    let has_text =
        |text: &Option<String>| text.as_ref().is_some_and(|t| !t.is_empty());
    let uts = libc::CLONE_NEWUTS;
    needs("hostname", has_text(&config.hostname), "uts", uts)?;
    needs("domainname", has_text(&config.domainname), "uts", uts)?;
    let net = libc::CLONE_NEWNET;
    needs("linux.netDevices", !linux.net_devices.is_empty(), "network", net)?;
    let has_offsets = !linux.time_offsets.is_empty();
    needs("linux.timeOffsets", has_offsets, "time", libc::CLONE_NEWTIME)?;
    for clock in linux.time_offsets.keys() {
        ensure!(
            ["boottime", "monotonic"].contains(&clock.as_str()),
            "linux.timeOffsets has no clock {clock:?}"
        );
    }
    check_maps(config)
}

fn check_maps(config: &Config) -> Result<()> {
    let linux = &config.linux;
    let makes = config.makes(libc::CLONE_NEWUSER);
    let maps = [("uid", &linux.uid_mappings), ("gid", &linux.gid_mappings)];
    for (what, map) in maps {
        if makes && map.is_empty() {
            bail!("a new user namespace needs linux.{what}Mappings");
        }
        let has_user = config.namespace(libc::CLONE_NEWUSER).is_some();
        if !has_user && !map.is_empty() {
            bail!("linux.{what}Mappings needs a user namespace");
        }
        for range in map {
            let ends = [range.container_id, range.host_id]
                .map(|first| first.checked_add(range.size));
            ensure!(
                range.size > 0 && ends.iter().all(Option::is_some),
                "linux.{what}Mappings: there are no {} such numbers",
                range.size
            );
        }
    }
    Ok(())
}
