//! What step12 keeps of its containers, as far as the companion reads it.
//!
//! A folder for each, with state.json (steps/step12/src/state). The rung itself
//! is not built with the companion: it would make that much larger.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use serde::Deserialize;
use step00::Process;
use step00::folder::Folder;
use step11::state::{First, Mounted};

/// What the folder of all is called.
pub const NAME: &str = "step12";

/// The part of state.json that is needed here.
#[derive(Deserialize)]
struct State {
    /// None while it is being made.
    first: Option<First>,
    cgroup: Group,
    /// Its root, where that is mounted for others to see.
    mounted: Option<Mounted>,
}

/// Its folder in each tree of control groups.
#[derive(Deserialize)]
struct Group {
    groups: BTreeMap<String, PathBuf>,
}

/// Puts away what is left of a container in this folder, but for the folder.
/// Whoever calls this holds its lock. False when it is not over: its process
/// lives, or another one in its group.
///
/// # Errors
/// A state that cannot be read; EACCES for a group that is not ours; and as
/// for [`Mounted::take_away`].
pub fn put_away(folder: &impl AsFd) -> Result<bool> {
    // Without a state: a `create` was killed before it made anything.
    let Some(state) = read(folder)? else { return Ok(true) };
    let first = state.first.as_ref().map(First::hold).transpose()?;
    if first.flatten().is_some() {
        return Ok(false);
    }
    let mut groups = Vec::new();
    for group in state.cgroup.groups.values().filter(|group| is_group(group)) {
        groups.extend(below(group));
    }
    let has_process = |group: &PathBuf| {
        let list = fs::read_to_string(group.join("cgroup.procs"));
        list.is_ok_and(|list| !list.trim().is_empty())
    };
    if groups.iter().any(has_process) {
        return Ok(false);
    }
    for group in groups.iter().rev() {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => {
                done.with_context(|| format!("remove {}", group.display()))?
            }
        }
    }
    state.mounted.map_or(Ok(()), |mounted| mounted.take_away())?;
    Ok(true)
}

/// Only what lies in a tree of control groups: there, nothing but an empty
/// group can be removed.
fn is_group(path: &Path) -> bool {
    let is_plain = |part| matches!(part, Component::Normal(_));
    path.strip_prefix("/sys/fs/cgroup")
        .is_ok_and(|rest| rest.components().all(is_plain))
}

/// A group and all below it, each behind the one above it.
fn below(group: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    if group.is_dir() {
        all.push(group.to_owned());
    }
    let mut at = 0;
    while let Some(group) = all.get(at) {
        let entries = fs::read_dir(group).into_iter().flatten().flatten();
        let is_folder = |entry: &fs::DirEntry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir())
        };
        let more = entries.filter(is_folder).map(|entry| entry.path());
        all.extend(more.collect::<Vec<_>>());
        at += 1;
    }
    all
}

fn read(folder: &impl AsFd) -> Result<Option<State>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let flags = flags | OFlag::O_NONBLOCK; // a FIFO of this name
    let file = match openat(folder.as_fd(), "state.json", flags, Mode::empty())
    {
        Err(Errno::ENOENT) => return Ok(None),
        file => fs::File::from(file.context("open its state")?),
    };
    let mut text = String::new();
    file.take(1 << 20).read_to_string(&mut text).context("read its state")?;
    serde_json::from_str(&text).map(Some).context("read its state")
}

/// The folder of all of the caller's.
fn base() -> Option<Folder> {
    let path = match geteuid().is_root() {
        true => PathBuf::from("/run").join(NAME),
        false => {
            let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
            folder.is_absolute().then(|| folder.join(NAME))?
        }
    };
    Folder::at(&path).ok()
}

/// The first process of the container that is called so; `None` where there is
/// no such container.
///
/// # Errors
/// It has none: it has ended, or is being made.
pub fn find(name: &str) -> Option<Result<Process>> {
    let mut parts = Path::new(name).components();
    let is_name = matches!(parts.next(), Some(Component::Normal(_)));
    if !is_name || parts.next().is_some() {
        return None;
    }
    let folder = base()?.open(name).ok()?;
    let state = read(&folder.descriptor()).transpose()?;
    let process = state.and_then(|state| match state.first {
        Some(first) => first.hold(),
        None => Ok(None),
    });
    Some(process.and_then(|process| {
        process.ok_or_else(|| {
            anyhow!("{name} does not run: step12 has only what is left of it")
        })
    }))
}

/// The names of all that live, with their first processes.
#[must_use]
pub fn all() -> Vec<(String, i32)> {
    let names = base().and_then(|base| base.names().ok()).unwrap_or_default();
    let living = |name: String| {
        let process = find(&name)?.ok()?;
        Some((name, process.pid.as_raw()))
    };
    names.into_iter().filter_map(living).collect()
}
