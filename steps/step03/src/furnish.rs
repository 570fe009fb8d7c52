//! What a new root needs before it can be lived in: /proc, /sys and /dev.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use step00::Advice;

use crate::{devices, root, tree};

/// Mounts all three in the new root, before the pivot.
///
/// - /proc shows the PID namespace of the process that mounts it.
/// - /sys shows the network interfaces of the mounter's network namespace.
/// - /dev is a small tmpfs with the harmless devices only.
///
/// # Errors
/// When the root lacks one of the three folders and it cannot be made; EPERM
/// for proc inside of another container that has masked parts of /proc.
pub fn furnish(new_root: &Path) -> Result<()> {
    root::mount_proc(&mount_point(new_root, "proc")?)
        .advice("inside another container? That masks /proc: use a real VM")?;
    mount_sys(&mount_point(new_root, "sys")?)?;
    devices::furnish(&mount_point(new_root, "dev")?)
}

/// In a user namespace a new sysfs takes a network namespace of one's own as
/// well. With `--network host` the machine's /sys is bound in its place.
fn mount_sys(sys: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID
        | MsFlags::MS_NOEXEC
        | MsFlags::MS_NODEV
        | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), sys, Some("sysfs"), flags, None::<&str>)
        .or_else(|errno| match errno {
            Errno::EPERM => tree::bind_read_only(Path::new("/sys"), sys),
            _ => Err(errno.into()),
        })
        .with_context(|| format!("mount sysfs on {}", sys.display()))
}

/// A directory of the new root on which something is to be mounted.
///
/// A symbolic link will not do. Until the pivot it leads to wherever it says
/// on the *machine*, and the new root would be left without a /proc.
fn mount_point(new_root: &Path, name: &str) -> Result<PathBuf> {
    let path = new_root.join(name);
    let found = path.symlink_metadata();
    let is_there = found.is_ok_and(|metadata| metadata.is_dir());
    match std::fs::create_dir(&path) {
        Err(error) if !is_there => Err(error)
            .with_context(|| {
                format!("make the mount point {}", path.display())
            })
            .advice("a root file system needs the folders proc, sys and dev"),
        _ => Ok(path),
    }
}
