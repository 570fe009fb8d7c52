//! Shared memory with names (shm_open(3)): the files in /dev/shm.
//!
//! No namespace hides them but the one of files, and that a pod does not
//! share. So its /dev/shm is shown in the new container as well.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sched::CloneFlags;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use step00::{Ending, Process, process};
use step03::tree::Tree;

use super::members::Member;
use crate::enter;

const FOLDER: &str = "/dev/shm";

/// What the helper ends with where it has no descriptor for us.
const NONE: i32 = 255;

/// Takes hold of the folder that a container has there.
///
/// Only who is in a mount namespace may copy a mount of it (open_tree(2)), and
/// a launcher without root that has gone in does not come out again. So a
/// helper goes. It shares its table of descriptors with us (CLONE_FILES): what
/// it opens, we have open, under the number that it ends with.
///
/// # Errors
/// When it has something else there.
pub(super) fn open(member: &Member) -> Result<Tree> {
    let shared = libc::CLONE_FILES as u64;
    let helper = process::fork(shared, None).context("start a helper")?;
    let Some(helper) = helper else {
        let number = take(&member.process).unwrap_or(NONE);
        // SAFETY: _exit takes no pointer, and runs no destructor of the
        // launcher's, of which this is a copy.
        unsafe { libc::_exit(number) }
    };
    let name = &member.name;
    match process::wait(&helper)? {
        Ending::Exited(number) if i32::from(number) != NONE => {
            // SAFETY: the helper has opened this descriptor, and left it to
            // us.
            let mount = unsafe { OwnedFd::from_raw_fd(number.into()) };
            Ok(Tree::held(mount, Path::new(FOLDER)))
        }
        _ => Err(anyhow!("share {FOLDER} of {name}: it has none of its own")),
    }
}

/// The helper: its own root is the container's, so that no path leads out.
fn take(process: &Process) -> Result<i32> {
    let files = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS;
    enter::join(process, files)?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let folder = openat2(AT_FDCWD, FOLDER, how)?;
    let kind = fstatfs(&folder)?.filesystem_type();
    ensure!(kind == TMPFS_MAGIC, "it is no memory");
    let tree = Tree::of(folder.as_fd(), Path::new(FOLDER))?;
    let number = tree.hold()?.as_raw_fd();
    ensure!(number < NONE, "it has too many files open");
    // Both are descriptors of the launcher's: the folder is closed here.
    std::mem::forget(tree);
    Ok(number)
}

/// Inside: shows it in the new root, over the one of its own.
pub(super) fn show(tree: &Tree, new_root: &Path) -> Result<()> {
    let target = new_root.join("dev/shm");
    let target = std::fs::File::open(&target)
        .with_context(|| format!("open {}", target.display()))?;
    tree.attach(target.as_fd())
}
