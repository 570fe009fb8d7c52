//! The removal of a volume: of files that a container has made.
//!
//! Folders may lie in each other deeper than any path can say, or than one
//! process has descriptors. So each folder that is not empty is first moved to
//! the top, where it has a number for a name, and its turn comes later. No link
//! is followed: a name is removed, or moved, in the folder that is open.

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use step00::{Advice, Doomed, process};
use step06::user::{become_root, write_maps};

use super::{base, command::maps};
use crate::folder::mutex;

const FOLDER: OFlag =
    OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Where it is taken apart. A removal that was killed is finished by the next.
const REMOVED: &str = ".removed";

/// Removes it. From the first moment on, its name is free.
///
/// # Errors
/// As for rename(2) and unlink(2).
pub(super) fn remove(name: &str, rootless: bool) -> Result<()> {
    let _mutex = mutex()?;
    let base = base(false)?.context("find our own folder")?;
    let apart = || take_apart(base.descriptor(), name);
    match rootless || !geteuid().is_root() {
        true => as_root_inside(apart)?,
        false => apart()?,
    }
    // What they are in goes with the last one; ENOTEMPTY says that it is not.
    for folder in base.path().ancestors().take(2) {
        let _ = std::fs::remove_dir(folder);
    }
    Ok(())
}

/// Moves it aside, and takes apart all that is there.
fn take_apart(base: BorrowedFd<'_>, name: &str) -> Result<()> {
    match mkdirat(base, REMOVED, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno).context("make a folder for it"),
    }
    let aside = openat(base, REMOVED, FOLDER, Mode::empty())
        .context("open the folder for it")?;
    let mut moved = Moved { count: 0, aside };
    moved.take(base, &CString::new(name)?)?;
    // Numbers that an earlier removal has left are passed over by `take`, and
    // emptied with the others.
    loop {
        let all = names(&moved.aside)?;
        if all.is_empty() {
            break;
        }
        for folder in all {
            moved.empty(&folder)?;
        }
    }
    unlinkat(base, REMOVED, UnlinkatFlags::RemoveDir)
        .context("remove the folder for it")
}

/// Folders whose turn comes later, each with a number for a name.
struct Moved {
    count: u64,
    aside: OwnedFd,
}

impl Moved {
    /// Moves a folder to the others.
    fn take(&mut self, from: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        loop {
            let number = CString::new(self.count.to_string())?;
            self.count += 1;
            let flag = RenameFlags::RENAME_NOREPLACE;
            match renameat2(from, name, &self.aside, &*number, flag) {
                Err(Errno::EEXIST) => {}
                moved => return moved.context("move a folder aside"),
            }
        }
    }

    /// Removes one of them, once all that is in it is gone or moved.
    fn empty(&mut self, name: &CStr) -> Result<()> {
        let folder = openat(&self.aside, name, FOLDER, Mode::empty())
            .context("open a folder")?;
        for name in names(&folder)? {
            match unlinkat(&folder, &*name, UnlinkatFlags::NoRemoveDir) {
                // Linux says this of a folder (unlink(2)).
                Err(Errno::EISDIR) => self.take(folder.as_fd(), &name)?,
                gone => gone.context("remove a file")?,
            }
        }
        unlinkat(&self.aside, name, UnlinkatFlags::RemoveDir)
            .context("remove a folder")
    }
}

fn names(folder: &OwnedFd) -> Result<Vec<CString>> {
    let dir = Dir::openat(folder, ".", FOLDER, Mode::empty());
    let mut dir = dir.context("list a folder")?;
    let names = dir.iter().map(|entry| Ok(entry?.file_name().to_owned()));
    let names: Vec<CString> =
        names.collect::<nix::Result<_>>().context("list a folder")?;
    let is_real = |name: &CString| ![c".", c".."].contains(&name.as_c_str());
    Ok(names.into_iter().filter(is_real).collect())
}

/// Without root, files of other users inside belong to numbers that are not
/// ours, and only the root of a namespace with the same map has power over
/// them. The helper waits until it is that root (step06).
fn as_root_inside(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let maps = maps(true)?;
    let (mut gate, mut other) = UnixStream::pair().context("make a gate")?;
    let new_user = libc::CLONE_NEWUSER as u64;
    let helper = process::fork(new_user, None)
        .context("make a user namespace")
        .advice("see /proc/sys/user/max_user_namespaces")?;
    let Some(helper) = helper else {
        drop(gate);
        let wait = other.read_exact(&mut [0]).context("wait at the gate");
        let done = wait.and_then(|()| become_root()).and_then(|()| work());
        let message = done.err().map(|error| format!("{error:#}"));
        let _ = other.write_all(message.unwrap_or_default().as_bytes());
        // SAFETY: _exit takes no pointer, and runs no destructor of the
        // launcher's, of which this is a copy.
        unsafe { libc::_exit(0) }
    };
    drop(other);
    let helper = Doomed(helper);
    write_maps(helper.0.pid, &maps)?;
    gate.write_all(b"x").context("open the gate")?;
    let mut message = String::new();
    gate.read_to_string(&mut message).context("hear of the end")?;
    ensure!(message.is_empty(), "{message}");
    Ok(())
}
