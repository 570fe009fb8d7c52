//! Files of /proc and /sys that concern the machine and not the container.
//!
//! No namespace hides them: there is one kernel, and these are its switches
//! and its memory. The lists are Docker's (the OCI runtime specification calls
//! them `maskedPaths` and `readonlyPaths`).

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use step03::tree::{self, Tree};

/// Not to be read: a file shows /dev/null, a folder an empty one.
pub const MASKED: [&str; 13] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/kernel/debug",
];

/// Not to be written to, not even where the owner would let root inside.
pub const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Inside, after the pivot, and before step08 takes mount(2) away.
pub fn put_on() -> Result<()> {
    // What this kernel does not have needs no mask.
    let exists = |path: &PathBuf| path.exists();
    for path in MASKED.map(PathBuf::from).iter().filter(|p| exists(p)) {
        mask(path).with_context(|| format!("mask {}", path.display()))?;
    }
    for path in READ_ONLY.map(PathBuf::from).iter().filter(|p| exists(p)) {
        tree::bind_read_only(path, path)
            .with_context(|| format!("make {} read-only", path.display()))?;
    }
    Ok(())
}

fn mask(path: &Path) -> Result<()> {
    if path.is_dir() {
        let flags = MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV
            | MsFlags::MS_NOEXEC;
        let tmpfs = Some("tmpfs");
        return Ok(mount(tmpfs, path, tmpfs, flags, Some("size=4k"))?);
    }
    // O_PATH: it is only to be covered, and may well be unreadable.
    let target =
        File::options().read(true).custom_flags(libc::O_PATH).open(path)?;
    Tree::open(Path::new("/dev/null"))?.attach(target.as_fd())
}
