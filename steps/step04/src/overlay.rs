//! The primitive of step04: an overlay mount.
//!
//! Several folders are shown as one. The `lower` ones are only ever read: a
//! hundred containers can share them. The first write to a file copies it to
//! `upper` ("copy-up"), and a deletion leaves a `whiteout` there, a character
//! device 0/0 that hides the name below.
//! Kernel document: Documentation/filesystems/overlayfs.rst.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::unistd::chdir;
use step00::Advice;

use crate::refusal::{is_in_user_namespace, why_not};

/// Mounts an overlay on `folder/merged`.
///
/// All names are relative to `folder`. `lowers` are the read-only layers
/// (`layer0`, `layer1` …), lowest first. `writable` is a folder with two in
/// it: `upper` for the writes, and `work`, in which the kernel prepares a file
/// before it appears in `upper` at a stroke; so both must be on the same
/// filesystem.
///
/// # Errors
/// EINVAL when `upper` is on a filesystem that cannot hold whiteouts, as
/// another overlay; ELOOP when one folder is named twice, or is in another;
/// ENODEV without the kernel's module; EPERM in a user namespace before 5.11.
pub fn mount_overlay(
    folder: &Path,
    lowers: &[String],
    writable: &str,
) -> Result<()> {
    // ANCHOR: options
    // The kernel takes the highest layer first, and all options on one page
    // of 4096 bytes. Short relative names make room for many layers.
    chdir(folder).with_context(|| format!("enter {}", folder.display()))?;
    let lowers: Vec<&str> = lowers.iter().rev().map(String::as_str).collect();
    let mut options = format!(
        "lowerdir={},upperdir={writable}/upper,workdir={writable}/work",
        lowers.join(":")
    );
    // Some distributions have these on. With them off `upper` is plain: every
    // file is whole and where the container has put it, and the next mount may
    // have other layers below (with index: ESTALE).
    options += ",index=off,metacopy=off,redirect_dir=nofollow";
    if is_in_user_namespace()? {
        // overlayfs marks folders with extended attributes `trusted.*`, which
        // only the machine's own root may set. This option makes them
        // `user.*`.
        options += ",userxattr";
    }
    // ANCHOR_END: options
    // ANCHOR: mount
    // The kernel cuts off without an error what does not fit.
    ensure!(
        options.len() < 4096,
        "mount an overlay of {} layers: that is more than fit",
        lowers.len()
    );
    let overlay = Some("overlay");
    mount(overlay, "merged", overlay, MsFlags::empty(), Some(&*options))
        .or_else(|errno| {
            Err(errno)
                .with_context(|| format!("mount an overlay with {options}"))
                .advice(why_not(errno))
        })
    // ANCHOR_END: mount
}
