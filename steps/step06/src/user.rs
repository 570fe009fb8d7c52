//! The primitive of step06: being root without being root.
//!
//! In a new user namespace every user and group is `nobody`, until a map says
//! which number inside stands for which number outside (user_namespaces(7)).
//! For files, signals and quotas the kernel always goes by the number outside.
//! So "root" inside has all of root's powers over what belongs to its
//! namespaces, and none over anything else.

use std::fs;

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid};

use crate::ids::{Maps, Writer};
use crate::writing::{lines, run_helper, write};

// ANCHOR: write_maps
/// Outside: writes both maps of process `pid`. Each can be written once.
///
/// Without root only one line is allowed, which maps one's own number; and
/// setgroups(2) must be forbidden before the gid map, since giving up a group
/// can give access to a file that its members are denied.
///
/// # Errors
/// EPERM when a number outside is not the writer's to give; EINVAL when
/// ranges overlap, or there are more than 340.
pub fn write_maps(pid: Pid, maps: &Maps) -> Result<()> {
    match maps.writer {
        Writer::Helpers => {
            run_helper("newuidmap", pid, &maps.uids)?;
            return run_helper("newgidmap", pid, &maps.gids);
        }
        Writer::Unprivileged => write(pid, "setgroups", "deny")?,
        Writer::Root => {}
    }
    write(pid, "uid_map", &lines(&maps.uids))?;
    write(pid, "gid_map", &lines(&maps.gids))
}
// ANCHOR_END: write_maps

// ANCHOR: become
/// Inside, with the maps written: takes the number 0.
///
/// The process has had every capability in its namespace since it was cloned;
/// but execve(2) lets only user 0 keep them.
pub fn become_root() -> Result<()> {
    become_user(0, 0, &[])?;
    // A process that changes its user is not "dumpable" any more, and its
    // files in /proc belong to the machine's root (proc(5)). Nothing secret of
    // that root is in this memory, so switch it on again.
    prctl::set_dumpable(true).context("make /proc/PID readable again")
}

/// Inside: takes these numbers, and gives up all groups beside but `groups`.
///
/// # Errors
/// EINVAL when the maps have no such user or group.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    let may = fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
    if may.trim() != "deny" {
        let kept = groups.iter().copied().map(Gid::from_raw);
        setgroups(&kept.collect::<Vec<_>>()).with_context(|| {
            format!("give up the launcher's groups, keep {groups:?}")
        })?;
    }
    // The group first: a process that is not root any more may not change it.
    let (gid, uid) = (Gid::from_raw(gid), Uid::from_raw(uid));
    setresgid(gid, gid, gid)
        .with_context(|| format!("become group {gid} inside"))?;
    setresuid(uid, uid, uid)
        .with_context(|| format!("become user {uid} inside"))
}
// ANCHOR_END: become
