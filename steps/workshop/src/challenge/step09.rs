//! Another size for what is mounted already.

use anyhow::{Context, Result};
use nix::sys::statfs::statfs;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step09.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("shm-size", shm_size)];

const NO_NETWORK: [&str; 2] = ["--network", "none"];

const CAUSES: &Causes = &[
    (
        &["unexpected argument"],
        "the rung has no such flag yet: flags.rs, `Args`",
    ),
    (
        &["EPERM"],
        "a remount that would take nosuid, nodev or noexec off is refused in \
         a user namespace: name all three once more",
    ),
];

fn shm_size(attempt: &mut Attempt) -> Result<()> {
    let flags = [&NO_NETWORK[..], &["--shm-size", "8192"]].concat();
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "its /dev/shm holds 8192 KiB",
        kib_of_shm(running.pid)?,
        8192,
        "mount(2) with MS_REMOUNT and the data size=8192k",
    )?;
    let mounts = outside::mounts(&outside::proc(running.pid));
    let count = mounts.iter().filter(|m| m.point.ends_with("dev/shm"));
    attempt.same(
        "it is the one mount that was there",
        count.count(),
        1,
        "a second tmpfs on top hides the first: remount that",
    )?;
    let mount = outside::mount_at(running.pid, "/dev/shm");
    let options = mount.map(|mount| mount.options).unwrap_or_default();
    let has = |flag: &&str| options.iter().any(|option| option == flag);
    attempt.found(
        "it is nosuid, nodev and noexec, as before",
        ["nosuid", "nodev", "noexec"].iter().all(&has),
        options.join(","),
        "nosuid,nodev,noexec",
        "a remount sets all flags anew: name them once more",
    )?;
    drop(running);
    let Some(running) = attempt.start(&NO_NETWORK, "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "without the flag it holds as much as before: 64 MiB",
        kib_of_shm(running.pid)?,
        64 << 10,
        "only where the flag is given",
    )
}

fn kib_of_shm(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/root/dev/shm");
    let found = statfs(&*path).context("look at its /dev/shm")?;
    Ok(found.blocks() * found.block_size() as u64 / 1024)
}
