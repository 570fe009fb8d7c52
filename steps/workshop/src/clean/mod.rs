//! `workshop clean`: takes away what the workshop made.
//!
//! It touches only names that the workshop itself gives, only below the target
//! folder, in /sys/fs/cgroup/workshop, /run/workshop and /run/step12 (and the
//! groups that are named there) and among the AppArmor profiles, and follows no
//! link out of it. It names each thing it removes, and
//! the volumes, which stay.

mod records;
mod volumes;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use step03::rootfs;

use crate::apparmor;
use crate::rootfs::remove::remove;
use crate::rootfs::store::target;
use crate::text::{printable, shown, tell};

/// Removes it all. What cannot be removed does not stop it.
///
/// # Errors
/// Something could not be removed; the reason has been printed by then.
pub fn run(out: &mut impl Write) -> Result<()> {
    let (mut found, mut failed) = (0, 0);
    let mut note = |what: String, removed: Result<()>| -> Result<()> {
        found += 1;
        match removed {
            Ok(()) => writeln!(out, "removed {what}")?,
            Err(error) => {
                failed += 1;
                tell(format_args!("{error:#}"));
            }
        }
        Ok(())
    };
    for path in ours(&target()?)? {
        if path.symlink_metadata().is_ok() {
            note(shown(&path), remove(&path))?;
        }
    }
    for folder in records::ended()? {
        note(folder, Ok(()))?;
    }
    for group in step07::leftovers() {
        note(printable(&group), remove_group(&group))?;
    }
    if apparmor::is_loaded() {
        note("the AppArmor profile".into(), apparmor::unload())?;
    }
    volumes::stay();
    match (found, failed) {
        (0, _) => writeln!(out, "nothing to remove")?,
        (_, 0) => {}
        (_, 1) => bail!("one of {found} could not be removed"),
        (..) => bail!("{failed} of {found} could not be removed"),
    }
    Ok(())
}

/// Forgets the containers on record below `base` that have ended.
///
/// # Errors
/// `base` is not the caller's.
pub fn forget(base: &Path, out: &mut impl Write) -> Result<()> {
    for folder in records::forget(base)? {
        writeln!(out, "{folder}")?;
    }
    Ok(())
}

/// A control group is removed as an empty folder is. It belongs to the
/// machine's root, and so this one command needs root.
fn remove_group(group: &Path) -> Result<()> {
    if fs::remove_dir(group).is_ok() {
        return Ok(());
    }
    let path = printable(group);
    tell(format_args!("{path} was made by root, so: sudo rmdir {path}"));
    let status = Command::new("sudo").arg("rmdir").arg(group).status();
    match status.context("run sudo")?.success() {
        true => Ok(()),
        false => bail!("remove {path}: sudo rmdir failed"),
    }
}

/// What the workshop makes below `target`. A half-made root filesystem counts
/// only if its maker is gone.
fn ours(target: &Path) -> Result<Vec<PathBuf>> {
    let root = target.join("rootfs");
    let mut paths = rootfs::abandoned(&root)?;
    paths.push(root);
    paths.extend(["images", "measure", "vm"].map(|name| target.join(name)));
    Ok(paths)
}
