//! Which mistake is behind an overlay that cannot be mounted.

use std::fs;

use anyhow::Result;
use nix::errno::Errno;

use crate::check::refuse::Refused;
use crate::check::report::Report;
use crate::check::{Attempt, Causes};

/// What one can tell by the words alone.
pub(super) const CAUSES: &Causes = &[
    (
        &["overflowed its stack"],
        "`mount_overlay` calls itself, without an end",
    ),
    (
        &["EINVAL", "pivot_root"],
        "`mount_overlay` has mounted nothing on \"merged\", and returned no \
         error",
    ),
    (
        &["open the upper layer"],
        "`mount_overlay` covers the folder with all that is in it: mount on \
         \"merged\"",
    ),
    (
        &["execute ", "ENOENT"],
        "`mount_overlay`: what is on \"merged\" is not the image. It is an \
         overlay of all `lowers`, joined by colons",
    ),
    (
        &["EROFS"],
        "`mount_overlay`: without upperdir= and workdir= an overlay is \
         read-only",
    ),
    (
        &["Read-only file system"],
        "`mount_overlay`: without upperdir= and workdir= an overlay is \
         read-only",
    ),
    (
        &["ELOOP"],
        "`mount_overlay` names a folder twice, or one that is in another",
    ),
    (
        &["EBUSY"],
        "`mount_overlay` has the folders upper and work in use already: it \
         mounts once",
    ),
    (
        &["EINVAL"],
        "`mount_overlay`: the options are not what overlayfs wants: \
         lowerdir=TOP:…:LOWEST, upperdir=…/upper, workdir=…/work and PLAIN, \
         with commas between and no space; and the mount has them, and the \
         type overlay",
    ),
    (&["EPERM"], "`mount_overlay`: in a user namespace, the option userxattr"),
    (
        &["ENOENT"],
        "`mount_overlay`: the kernel does not find a folder. The target is \
         \"merged\", without a slash; upper and work are in `writable`; a \
         comma that is missing, or a space, is taken for part of a name",
    ),
    (
        &["os error 2"],
        "`mount_overlay`: a folder is not found: chdir(2) is to `folder`",
    ),
    (
        &[],
        "`mount_overlay` stops by itself, without an answer of the kernel's: \
         is it your check of the length? A few layers fit",
    ),
];

/// The names are looked up in another place.
const NOT_ENTERED: &str = "`mount_overlay`: a folder is not found. The names are relative to \
     `folder`: chdir(2) comes first, and is to `folder` itself";

/// The same, and what a second try tells.
pub(super) fn mount(
    attempt: &Attempt,
    flags: &[&str],
    report: &Report,
) -> Result<String> {
    let says = |text| report.stderr.contains(text);
    if report.status.is_none() {
        return Ok(report.likely(
            &[],
            "`mount_overlay` goes round in circles, or waits for ever",
        ));
    }
    if says("ENODEV") {
        return Ok(no_such_type());
    }
    let is_not_found = says("ENOENT") && !says("execute ");
    if is_not_found && !enters(attempt, flags)? {
        return Ok(report.likely(&[(&["ENOENT"], NOT_ENTERED)], NOT_ENTERED));
    }
    Ok(report.likely(CAUSES, ""))
}

/// Does it change the working directory, before it mounts? A kernel that says
/// no to that makes it stop.
fn enters(attempt: &Attempt, flags: &[&str]) -> Result<bool> {
    let refused =
        Refused { call: libc::SYS_chdir, arguments: &[], errno: Errno::EDOM };
    let report = attempt.run_refused(flags, "true", &[refused])?;
    let answers = ["EDOM", "os error 33"];
    Ok(answers.iter().any(|answer| report.stderr.contains(answer)))
}

/// ENODEV: mount(2) knows no such type. The kernel's own list tells why.
fn no_such_type() -> String {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    match known.split_whitespace().any(|one| one == "overlay") {
        true => "`mount_overlay`: there is no such type of filesystem. It is \
                 called overlay, and this kernel has it"
            .into(),
        false => "this kernel has no overlayfs: modprobe overlay. (Or \
                  `mount_overlay` has another type than overlay)"
            .into(),
    }
}
