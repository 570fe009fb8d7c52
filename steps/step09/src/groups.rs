//! The container's own group as files, where programs look for their limits.
//!
//! A runtime sizes itself by what it may use: the Java virtual machine reads
//! /sys/fs/cgroup/memory.max, and where there is no such file it takes the
//! whole machine for its own. The root of a cgroup filesystem is the root of
//! the cgroup namespace in which it is mounted (cgroup_namespaces(7)), so what
//! is shown here begins with the container's own group. It can be read only.

use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs, statfs};
use nix::unistd::{AccessFlags, faccessat};

/// Where the hierarchy is, by the convention of every distribution.
const PLACE: &str = "/sys/fs/cgroup";

/// Inside, in the new cgroup namespace, with a /sys in the new root.
///
/// Version 1 has the limits in hierarchies of their own; there, and where the
/// machine has no groups at all, nothing is shown.
///
/// # Errors
/// As for mount(2).
pub(crate) fn show(new_root: &Path) -> Result<()> {
    let place = new_root.join(PLACE.trim_start_matches('/'));
    if !is_unified(Path::new(PLACE))? || !place.is_dir() {
        return Ok(());
    }
    if is_unified(&place)? {
        // With `--network host` the machine's tree lies there, of which a part
        // is to be shown now. mount(2) puts no filesystem on its own top
        // (EBUSY), so there is an empty one between the two.
        mount_new("tmpfs", &place)?;
    }
    match mount_new("cgroup2", &place) {
        // A group above is closed to root inside, who is another user. It can
        // do without the sight.
        Err(error) if error.downcast_ref() == Some(&Errno::EACCES) => {
            return Ok(());
        }
        mounted => mounted?,
    }
    let shown = std::fs::File::open(&place)
        .with_context(|| format!("open {}", place.display()))?;
    match is_own(&shown)? {
        true => Ok(()),
        // Without handcuffs it may be in the root of all groups. That has no
        // limits, and the machine's whole tree below it.
        false => umount2(&place, MntFlags::MNT_DETACH)
            .context("take the machine's groups away"),
    }
}

fn is_unified(place: &Path) -> Result<bool> {
    match statfs(place) {
        Err(Errno::ENOENT) => Ok(false),
        found => {
            let look = || format!("look at {}", place.display());
            let kind = found.with_context(look)?.filesystem_type();
            Ok(kind == CGROUP2_SUPER_MAGIC)
        }
    }
}

fn mount_new(kind: &str, place: &Path) -> Result<()> {
    let flags = MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV
        | MsFlags::MS_NOEXEC;
    mount(Some(kind), place, Some(kind), flags, None::<&str>)
        .with_context(|| format!("mount {kind} on {}", place.display()))
}

/// Is this folder a group of a container's own, and not the root of all
/// groups? Only that has no `cgroup.events` (cgroup-v2.rst, "Core Interface
/// Files").
///
/// # Errors
/// As for statfs(2) and access(2).
pub fn is_own(folder: impl AsFd) -> Result<bool> {
    let kind = fstatfs(folder.as_fd()).context("look at a group")?;
    if kind.filesystem_type() != CGROUP2_SUPER_MAGIC {
        return Ok(false);
    }
    let (is_there, none) = (AccessFlags::F_OK, AtFlags::empty());
    match faccessat(folder.as_fd(), "cgroup.events", is_there, none) {
        Err(Errno::ENOENT) => Ok(false),
        answer => answer.map(|()| true).context("look into a group"),
    }
}
