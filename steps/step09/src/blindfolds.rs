//! The last three blindfolds, as far as the flags ask for them.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};
use step03::tree::Tree;

use crate::{Args, Kind, groups, ipc};

/// The IPC namespace, which the process is born in: CLONE_NEWIPC, or 0.
pub fn namespace(args: &Args) -> libc::c_int {
    match args.ipc {
        Kind::Private => libc::CLONE_NEWIPC,
        Kind::Host | Kind::Joined => 0,
    }
}

/// Inside, while /proc is still the machine's: the cgroup namespace and the
/// time namespace. The process cannot be born in these (see [`ipc`]), it makes
/// them itself.
pub fn blindfold(args: &Args) -> Result<()> {
    ipc::hide_groups()?;
    args.boottime_offset.map_or(Ok(()), ipc::shift_boottime)
}

/// Inside, with a /dev and a /sys in the new root: the folders in which queues
/// and shared memory have names, and the files of its own group.
pub fn furnish(args: &Args, new_root: &Path) -> Result<()> {
    groups::show(new_root)?;
    match args.ipc {
        // Whose queues it shows is a matter of who mounts it.
        Kind::Private | Kind::Joined => ipc::mount_queues(new_root),
        Kind::Host => {
            show(Path::new("/dev/shm"), &new_root.join("dev/shm"))?;
            show(Path::new("/dev/mqueue"), &new_root.join("dev/mqueue"))
        }
    }
}

/// Shows a folder of the machine at `target`, if the machine has it.
fn show(source: &Path, target: &Path) -> Result<()> {
    if !source.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(target)
        .with_context(|| format!("make {}", target.display()))?;
    let target = File::open(target)?;
    Tree::open(source)?.attach(target.as_fd())
}

/// Inside: the time namespace with any of its clocks, for who has the lines of
/// /proc/PID/timens_offsets: clock, seconds, nanoseconds. Without any line all
/// clocks agree with the machine's.
///
/// # Errors
/// As for [`ipc::shift_boottime`], which has the same three steps.
pub fn shift_clocks(offsets: &str) -> Result<()> {
    let new_time = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);
    unshare(new_time).context("make a time namespace")?;
    if !offsets.is_empty() {
        fs::write("/proc/self/timens_offsets", offsets)
            .with_context(|| format!("shift the clocks by {offsets:?}"))?;
    }
    let made = File::open("/proc/self/ns/time_for_children")
        .context("open the new time namespace")?;
    setns(made, new_time).context("enter the new time namespace")
}
