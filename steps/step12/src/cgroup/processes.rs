//! Who is in a group.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::Pid;

use super::files::{is, write};
use super::folders::Tree;
use super::freezer;

/// All processes of a group and of those below it. None where there is no
/// such group.
///
/// # Errors
/// EACCES.
pub(crate) fn below(group: &Path) -> Result<Vec<Pid>> {
    let mut all = Vec::new();
    let read = Tree::below(group).and_then(|tree| {
        tree.groups.iter().try_for_each(|group| add(group, &mut all))
    });
    read.with_context(|| {
        format!("list the processes of {}", group.display())
    })?;
    Ok(all)
}

fn add(group: &Path, all: &mut Vec<Pid>) -> io::Result<()> {
    match fs::read_to_string(group.join("cgroup.procs")) {
        Ok(text) => {
            let pids = text.lines().flat_map(str::parse);
            all.extend(pids.map(Pid::from_raw));
            Ok(())
        }
        // The group is gone, or was removed between open and read.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if is(&error, Errno::ENODEV) => Ok(()),
        // Its threads may be spread over groups below a group; the processes
        // are listed there (cgroup-v2.rst, "Threads").
        Err(error) if is(&error, Errno::EOPNOTSUPP) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a process into a group, if it is not in it.
///
/// # Errors
/// ESRCH when it has ended, EACCES.
pub(crate) fn put(group: &Path, pid: Pid) -> Result<()> {
    // To move a process takes the kernel milliseconds, to read a list none.
    let now = fs::read_to_string(group.join("cgroup.procs"));
    let number = pid.to_string();
    if now.is_ok_and(|list| list.lines().any(|line| line == number)) {
        return Ok(());
    }
    write(group, "cgroup.procs", &number)
        .with_context(|| format!("put process {pid} into {}", group.display()))
}

/// The groups of v1, open for a new process to walk in by itself.
///
/// To move *another* process the kernel first stops all that make or end
/// processes, anywhere, and that takes it milliseconds, once for each tree.
/// Who moves its own, one thread is spared that: it writes 0 to `tasks`
/// (cgroup_procs_write_start() of the kernel, since Linux 5.16).
#[derive(Debug)]
pub struct Doors(Vec<(PathBuf, File)>);

impl Doors {
    pub(super) fn open<'a>(
        groups: impl Iterator<Item = &'a Path>,
    ) -> Result<Doors> {
        let open = |group: &Path| {
            let file = group.join("tasks");
            let door = File::options().write(true).open(&file);
            let door = match door {
                // The tree of v2 beside the others has no such file.
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                door => Some(
                    door.with_context(|| format!("open {}", file.display()))?,
                ),
            };
            Ok(door.map(|door| (group.to_owned(), door)))
        };
        let doors = groups.filter_map(|group| open(group).transpose());
        Ok(Doors(doors.collect::<Result<_>>()?))
    }

    /// The calling process, which has one thread, goes into all of them.
    ///
    /// # Errors
    /// ENOSPC for a cpuset without a CPU, ENODEV when a group is gone.
    pub fn walk_in(&self) -> Result<()> {
        for (group, door) in &self.0 {
            let mut door = door;
            door.write_all(b"0")
                .with_context(|| format!("walk into {}", group.display()))?;
        }
        Ok(())
    }
}

/// Sends a signal to all.
///
/// With v2 the kernel does it for SIGKILL, and nobody escapes (cgroup-v2.rst,
/// "cgroup.kill", Linux 5.14). Otherwise a process could make a new one while
/// we read the list: so it stands still meanwhile. It dies when it goes on.
///
/// # Errors
/// EPERM, EINVAL when there is no such signal.
pub(crate) fn kill(
    group: &Path,
    freezer: Option<&Path>,
    is_v1: bool,
    signal: i32,
) -> Result<()> {
    let is_end = signal == libc::SIGKILL;
    if is_end && !is_v1 && write(group, "cgroup.kill", "1").is_ok() {
        return Ok(());
    }
    let freezer = freezer.filter(|group| is_end && group.exists());
    if let Some(group) = freezer {
        // What does not stand still in time is sent the signal all the same.
        let _ = freezer::set(group, is_v1, true);
    }
    let sent = send(group, signal);
    match freezer {
        Some(group) => sent.and(freezer::set(group, is_v1, false)),
        None => sent,
    }
}

fn send(group: &Path, signal: i32) -> Result<()> {
    for pid in below(group)? {
        // SAFETY: kill(2) takes two numbers.
        let sent = unsafe { libc::kill(pid.as_raw(), signal) };
        match Errno::result(sent) {
            // It has ended.
            Err(Errno::ESRCH) => {}
            done => done
                .map(drop)
                .with_context(|| format!("send {signal} to {pid}"))?,
        }
    }
    Ok(())
}
