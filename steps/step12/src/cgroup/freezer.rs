//! Processes that stand still, and go on again.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use step07::events;

use super::files::{read, read_if_any, write};

/// For how long a group may take to stand still.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has all processes of a group stand still, or go on.
///
/// # Errors
/// ENOENT when there is no such group, ETIME when not all stand still in time.
/// Then all go on: a half of a container that stands still is of no use.
pub(crate) fn set(group: &Path, is_v1: bool, frozen: bool) -> Result<()> {
    let done = match is_v1 {
        true => set_v1(group, frozen),
        false => set_v2(group, frozen),
    };
    if done.is_err() && frozen {
        let (file, text) = match is_v1 {
            true => ("freezer.state", "THAWED"),
            false => ("cgroup.freeze", "0"),
        };
        let _ = write(group, file, text);
    }
    done.with_context(|| format!("freeze or thaw {}", group.display()))
}

/// The kernel says in cgroup.events when the last process stands still
/// (cgroup-v2.rst, "cgroup.freeze").
fn set_v2(group: &Path, frozen: bool) -> Result<()> {
    let number = u8::from(frozen);
    write(group, "cgroup.freeze", &number.to_string())?;
    let line = format!("frozen {number}");
    // A group above may stand still; then so does this one, whatever it is
    // told itself.
    let done = events::wait_for(group, &line, PATIENCE)?;
    ensure!(done || !frozen, Errno::ETIME);
    Ok(())
}

/// Nothing tells when it is done, and a process that is being made at the
/// moment may hold it up for good, until it is asked for again
/// (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
fn set_v1(group: &Path, frozen: bool) -> Result<()> {
    let state = if frozen { "FROZEN" } else { "THAWED" };
    let start = Instant::now();
    let mut wait = Duration::from_micros(10);
    loop {
        write(group, "freezer.state", state)?;
        // It is the reading that makes the kernel look.
        let now = read(group, "freezer.state")?;
        if !frozen || now == state {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, Errno::ETIME);
        sleep(wait);
        wait = (wait * 2).min(Duration::from_millis(10));
    }
}

/// Was the group told to stand still? (It may stand still because one above
/// it was told to.)
pub(crate) fn is_frozen(group: &Path, is_v1: bool) -> bool {
    let file = if is_v1 { "freezer.self_freezing" } else { "cgroup.freeze" };
    read_if_any(group, file).as_deref() == Some("1")
}
