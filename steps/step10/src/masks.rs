//! Files of /proc and /sys that concern the machine and not the container.
//!
//! No namespace hides them: there is one kernel, and these are its switches
//! and its memory. The lists are made after Docker's (the OCI runtime
//! specification calls them `maskedPaths` and `readonlyPaths`): without the
//! counters of each CPU's heat, and with the kernel's own debugging files.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use step03::tree::{self, Tree};

use crate::Args;

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

/// Not to be written to, not even where the file's owner lets root inside
/// write.
pub const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Inside, after the pivot, and before step08 takes mount(2) away.
pub fn mask(args: &Args) -> Result<()> {
    match args.unmask {
        true => Ok(()),
        false => put_on(),
    }
}

fn put_on() -> Result<()> {
    for path in MASKED.map(Path::new) {
        let Some(found) = look_for(path)? else { continue };
        cover(path, found.is_dir())
            .with_context(|| format!("mask {}", path.display()))?;
    }
    for path in READ_ONLY.map(Path::new) {
        let Some(_) = look_for(path)? else { continue };
        tree::bind_read_only(path, path)
            .with_context(|| format!("make {} read-only", path.display()))?;
    }
    Ok(())
}

/// A file that this kernel does not have needs no mask. Any other error is
/// one: a mask must not be left out in silence.
fn look_for(path: &Path) -> Result<Option<Metadata>> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found
            .map(Some)
            .with_context(|| format!("look at {}", path.display())),
    }
}

fn cover(path: &Path, is_folder: bool) -> Result<()> {
    if is_folder {
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
