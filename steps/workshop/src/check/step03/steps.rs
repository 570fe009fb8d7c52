//! What the rung does with mounts, call by call.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::check::calls::{Answer, Call, Watch};
use crate::check::outside;

/// A call of the new process's, and in what state it was made.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Mount { source: String, target: String, kind: String, flags: u64 },
    Pivot(Pivot),
    Unmount { target: String, flags: u64 },
    Enter,
    Chroot,
}

/// What holds at the moment of pivot_root(2).
#[derive(Debug, Clone)]
pub(super) struct Pivot {
    /// Its arguments.
    pub(super) new_root: String,
    pub(super) put_old: String,
    /// Mounts that are still shared with the machine.
    pub(super) shared: Vec<String>,
    /// Is the new root a mount, and is it the current directory?
    pub(super) is_mount: bool,
    pub(super) is_entered: bool,
    /// Does the argument lead to it?
    pub(super) is_named: bool,
}

/// Notes them, for the root directory `root`.
pub(super) fn watch(
    command: &mut Command,
    root: PathBuf,
) -> Result<Watch<Step>> {
    let numbers = [
        libc::SYS_mount,
        libc::SYS_pivot_root,
        libc::SYS_umount2,
        libc::SYS_chdir,
        libc::SYS_chroot,
    ];
    Watch::new(command, &numbers, move |call| {
        // The launcher has mounts to make for itself.
        let is_new = outside::status(call.pid, "NSpid").ends_with(" 1");
        (is_new.then(|| note(call, &root)), Answer::GoOn)
    })
}

fn note(call: &Call, root: &Path) -> Step {
    match call.number {
        libc::SYS_mount => Step::Mount {
            source: call.text(0),
            target: call.text(1),
            kind: call.text(2),
            flags: call.arguments[3],
        },
        libc::SYS_pivot_root => Step::Pivot(pivot(call, root)),
        libc::SYS_umount2 => {
            Step::Unmount { target: call.text(0), flags: call.arguments[1] }
        }
        libc::SYS_chdir => Step::Enter,
        _ => Step::Chroot,
    }
}

fn pivot(call: &Call, root: &Path) -> Pivot {
    let (new_root, put_old) = (call.text(0), call.text(1));
    let proc = outside::proc(call.pid);
    let below_slash = |path: &Path| {
        let path = path.strip_prefix("/").unwrap_or(path);
        proc.path("root").join(path)
    };
    let place = below_slash(root);
    let named = match Path::new(&new_root) {
        path if path.is_absolute() => below_slash(path),
        path => proc.path("cwd").join(path),
    };
    let wanted = outside::identity(&place).ok();
    let is_it = |path: &Path| outside::identity(path).ok() == wanted;
    let mounts = outside::mounts(&proc);
    let shared = mounts.iter().filter(|mount| {
        mount.propagation.iter().any(|word| word.starts_with("shared"))
    });
    Pivot {
        shared: shared.map(|m| m.point.display().to_string()).collect(),
        is_mount: is_mount(&place),
        is_entered: is_it(&proc.path("cwd")),
        is_named: is_it(&named),
        new_root,
        put_old,
    }
}

/// Is it the root directory of a mount? statx(2), STATX_ATTR_MOUNT_ROOT.
fn is_mount(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_encoded_bytes()) else {
        return false;
    };
    // SAFETY: plain integers, for which zero is valid.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel reads the string and fills in the struct, which both
    // live until it returns.
    let answer = unsafe {
        libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, 0, &raw mut found)
    };
    answer == 0 && found.stx_attributes & MOUNT_ROOT != 0
}

/// linux/stat.h; libc has an i32 for it.
const MOUNT_ROOT: u64 = 0x2000;
