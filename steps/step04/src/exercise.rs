//! The exercise of step04: an overlay mount. About 20 lines are yours.
//!
//! ```text
//! cargo workshop check 4                              look at it
//! cargo run -p step04 --features exercise -- ls /     try it
//! cargo test -p step04 --features exercise            prove it
//! cargo run -p step08 --features step04/exercise      climb on it
//! cargo workshop hint 4 mount_overlay                 a hint
//! ```
//!
//! Several folders are shown as one; the first write to a file copies it to
//! `upper`. All about it is in the kernel document filesystems/overlayfs.rst
//! (docs.kernel.org). Replace `unwritten(…)` by a body of your own; the
//! solution is in `overlay.rs`.

#![allow(unused, reason = "until it is written")]

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::unistd::chdir;
use step00::Advice;

use crate::refusal::{is_in_user_namespace, why_not};

/// Some distributions have these on. With them off `upper` is plain: every
/// file is whole and where the container has put it, and the next mount may
/// have other layers below (with index: ESTALE).
const PLAIN: &str = "index=off,metacopy=off,redirect_dir=nofollow";

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
    // 1. Relative names are looked up from the working directory: chdir(2) to
    //    `folder`. (Short names make room for many layers, see 5.)
    //
    // 2. The layers become one string, joined by colons: overlayfs.rst,
    //    "Multiple lower layers". Usual mistake: the order. Which end of that
    //    string is the top, and which end of `lowers` is? (The last of them,
    //    `own`, is the launcher's: mount points, and files as /etc/hosts.)
    //
    // 3. The options are one string, too, separated by commas: the layers, the
    //    upper folder, the work folder ("Upper and Lower"), and PLAIN. Usual
    //    mistake: upper and work swapped, which the kernel does not notice.
    //
    // 4. overlayfs marks folders with extended attributes `trusted.*`, which
    //    only the machine's own root may set: xattr(7). There is an option for
    //    all others ("User xattr"). `is_in_user_namespace` knows whether it is
    //    needed.
    //
    // 5. mount(2) takes one page of options, 4096 bytes with the zero byte at
    //    the end, and cuts off the rest without a word. So check the length
    //    (`ensure!`) before it, and say how many layers there were.
    //
    // 6. Mount it on "merged". It is no disk's file system, so source and type
    //    are both its name. Of an error say with which options it came:
    //    `.or_else(|errno| Err(errno).with_context(…).advice(why_not(errno)))`
    step00::unwritten("mount_overlay", file!())
}
