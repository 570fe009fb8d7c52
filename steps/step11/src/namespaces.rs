//! In which namespaces two processes differ.

use anyhow::Result;
use nix::sched::CloneFlags;
use nix::unistd::{Pid, geteuid};
use step00::Proc;

/// Each kind of namespace with its flag, as /proc/PID/ns calls them.
pub const KINDS: [(&str, i32); 8] = [
    ("user", libc::CLONE_NEWUSER),
    ("mnt", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("uts", libc::CLONE_NEWUTS),
    ("ipc", libc::CLONE_NEWIPC),
    ("net", libc::CLONE_NEWNET),
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("time", libc::CLONE_NEWTIME),
];

/// The namespaces in which `pid` differs from this process: what both share
/// (`--network host`) cannot and need not be joined.
pub fn between(pid: Pid) -> Result<CloneFlags> {
    let process = Proc::of(pid);
    let mut apart = CloneFlags::empty();
    for (kind, flag) in KINDS {
        if process.is_apart(kind)? {
            apart |= CloneFlags::from_bits_retain(flag);
        }
    }
    Ok(apart)
}

/// What the launcher itself must join before it makes the process: the PID
/// namespace, which is for children only; and without the machine's root the
/// user namespace too, since there it has the power to do so.
pub fn before_birth(apart: CloneFlags) -> CloneFlags {
    let before = match geteuid().is_root() {
        true => CloneFlags::CLONE_NEWPID,
        false => CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUSER,
    };
    apart & before
}
