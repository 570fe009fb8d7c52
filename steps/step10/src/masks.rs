//! Files of /proc and /sys that concern the machine and not the container.
//!
//! No namespace hides them: there is one kernel, and these are its switches
//! and its memory. The lists are made after Docker's (the OCI runtime
//! specification calls them `maskedPaths` and `readonlyPaths`): without the
//! counters of each CPU's heat, and with the kernel's own debugging files.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};
use step00::stat::fstat;
use step03::open_within;
use step03::tree::{self, Attributes, Tree};

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

/// The tree of control groups. A new sysfs has an empty folder there, and what
/// lies on that may stay if it is the container's own (step09). With `--network
/// host` it is the machine's /sys, and the machine's tree lies in it.
const GROUPS: &str = "/sys/fs/cgroup";

/// What shows nothing to whoever reads it: memory, 1:3.
const NULL: (u32, u32) = (1, 3);

/// Inside, before the pivot and before the first volume: from there on the
/// container may hold what somebody else has made, a /dev/null that is a link
/// to /proc/sys/kernel/core_pattern among it (CVE-2025-31133).
///
/// # Errors
/// When the machine's /dev/null or the container's /proc is something else
/// than that; ELOOP for a link on the way.
pub fn mask(args: &Args, new_root: &Path) -> Result<()> {
    match args.unmask {
        true => Ok(()),
        false => put_on(new_root),
    }
}

fn put_on(new_root: &Path) -> Result<()> {
    let root = File::open(new_root)
        .with_context(|| format!("open {}", new_root.display()))?;
    for path in MASKED {
        let Some(target) = look_for(&root, path)? else { continue };
        cover(&target).with_context(|| format!("mask {path}"))?;
    }
    if let Some(groups) = look_for(&root, GROUPS)? {
        let is_empty = kind(&groups, GROUPS)? == SYSFS_MAGIC;
        if !is_empty && !step09::groups::is_own(&groups)? {
            cover(&groups).with_context(|| format!("mask {GROUPS}"))?;
        }
    }
    for path in READ_ONLY {
        let Some(target) = look_for(&root, path)? else { continue };
        fix(&target, Path::new(path))
            .with_context(|| format!("make {path} read-only"))?;
    }
    Ok(())
}

/// Opens it, as nothing but a place in the container's own /proc and /sys.
///
/// What this kernel does not have needs no mask. Any other answer is an error:
/// a mask that is left out in silence is none.
fn look_for(root: &File, path: &str) -> Result<Option<OwnedFd>> {
    let no_links =
        ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let target = match open_within(root, path, OFlag::O_PATH, no_links) {
        Err(Errno::ENOENT) => return Ok(None),
        target => target.with_context(|| format!("look at {path}"))?,
    };
    ensure!(
        !path.starts_with("/proc/")
            || kind(&target, path)? == PROC_SUPER_MAGIC,
        "mask {path}: this is no /proc of the kernel's"
    );
    Ok(Some(target))
}

fn kind(target: &OwnedFd, path: &str) -> Result<FsType> {
    let found = fstatfs(target);
    let found = found.with_context(|| format!("look at {path}"))?;
    Ok(found.filesystem_type())
}

/// Covers a folder with an empty one, and anything else with the machine's
/// /dev/null. To be called while /proc and /dev are the machine's.
///
/// # Errors
/// When /dev/null is something else than that.
pub fn cover(target: &OwnedFd) -> Result<()> {
    if fstat(target)?.st_mode & libc::S_IFMT == libc::S_IFDIR {
        let flags = MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV
            | MsFlags::MS_NOEXEC;
        // /proc is still the machine's, and leads back to the descriptor.
        let path = format!("/proc/self/fd/{}", target.as_raw_fd());
        let tmpfs = Some("tmpfs");
        return Ok(mount(tmpfs, &*path, tmpfs, flags, Some("size=4k"))?);
    }
    let null = Tree::open(Path::new("/dev/null"))?;
    null.must_be_device(NULL)?;
    tree::change(null.hold()?, Attributes::READ_ONLY)?;
    null.attach(target.as_fd())
}

/// Binds it onto itself, read-only. `path` is for messages.
///
/// # Errors
/// As for open_tree(2) and mount_setattr(2).
pub fn fix(target: &OwnedFd, path: &Path) -> Result<()> {
    let tree = Tree::of(target.as_fd(), path)?;
    tree::change(tree.hold()?, Attributes::READ_ONLY)?;
    tree.attach(target.as_fd())
}
