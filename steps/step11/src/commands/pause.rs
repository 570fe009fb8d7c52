//! `step11 pause` and `unpause`: all processes of a container stop at once, and
//! none of them can notice.
//!
//! SIGSTOP would be seen by the parent of each process, and reach one after
//! the other. The freezer is the control group's: the kernel holds back all
//! that is in there, those that are born meanwhile too, until the file says 0
//! again. Kernel document: Documentation/admin-guide/cgroup-v2.rst,
//! "cgroup.freeze".

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use step00::{Advice, Ending, Process};
use step07::place::{Place, group_of, has_version_2};

use crate::Names;
use crate::state::{self, Status};

/// How long the kernel has to hold all of them back: one that waits for a disk
/// is frozen only after that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Freezes each, or lets each go on.
pub fn pause(names: &Names, is_frozen: bool) -> Result<Ending> {
    names.each(|name| {
        let state = state::read(name)?;
        match state.status() {
            Status::Paused(process) => set(name, &process, is_frozen),
            _ => set(name, &state.running()?, is_frozen),
        }
    })
}

/// Is the group of this process frozen, or about to be?
pub fn is_frozen(pid: Pid) -> bool {
    // Its file could not be read. (`ps` asks of each container.)
    if !has_version_2() {
        return false;
    }
    let Ok(Some(group)) = group_of(pid) else { return false };
    let text = fs::read_to_string(group.join("cgroup.freeze"));
    text.is_ok_and(|text| text.trim() == "1")
}

/// Freezes the group of this process, or lets it go on, and waits until that
/// is so.
///
/// # Errors
/// Where a container has no group of its own, with what can be done.
pub fn set(name: &str, process: &Process, is_frozen: bool) -> Result<()> {
    let what = || match is_frozen {
        true => format!("pause {name}"),
        false => format!("unpause {name}"),
    };
    let group = group(process).with_context(what)?;
    let value = if is_frozen { "1" } else { "0" };
    let write = fs::write(group.join("cgroup.freeze"), value);
    write.with_context(|| format!("write {value} to cgroup.freeze"))?;
    wait(&group, value).with_context(what)
}

/// The group that the container has to itself.
fn group(process: &Process) -> Result<PathBuf> {
    if let Some(group) = group_of(process.pid)? {
        return Ok(group);
    }
    match Place::find()? {
        Place::None { why, advice } => Err(Error::msg(why)).advice(advice),
        Place::Below(_) => Err(Error::msg("it has no group of its own")),
    }
}

/// cgroup.events says `frozen 1` once the last of them stands still, and
/// whoever polls that file is told of the change (POLLPRI).
fn wait(group: &Path, value: &str) -> Result<()> {
    let path = group.join("cgroup.events");
    let events = File::open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    let wanted = format!("frozen {value}");
    let end = Instant::now() + PATIENCE;
    // Where it has ended meanwhile, the file is gone, and with it the matter.
    while fs::read_to_string(&path).is_ok_and(|text| !text.contains(&wanted)) {
        ensure!(Instant::now() < end, "a process of it does not stand still");
        let fd = PollFd::new(events.as_fd(), PollFlags::POLLPRI);
        let _ = poll(&mut [fd], PollTimeout::from(100u8));
    }
    Ok(())
}
