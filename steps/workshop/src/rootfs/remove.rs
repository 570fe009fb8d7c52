//! Removes a directory tree, and nothing that lies outside it.
//!
//! A container may have filled it: with links to the machine's files, and with
//! folders in folders, deeper than any path is long (PATH_MAX) and than a
//! process may have descriptors (1,024 as a rule). So it walks by descriptors,
//! follows no link, and holds [`HELD`] of them at most: what is above those
//! is found again through `..`, and believed only if it is the folder that it
//! was on the way down.

use std::ffi::{CString, OsStr};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::NixPath;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use step00::Proc;
use step00::stat::fstat;

use crate::text::printable;

/// Descriptors that a walk holds at once.
const HELD: usize = 64;

/// Names that it reads before it removes them.
const BATCH: usize = 4096;

/// Removes `path` and all below it; a missing `path` is fine. Symbolic links
/// are removed, never followed.
///
/// # Errors
/// Something is mounted below it (`EBUSY`), or it belongs to somebody else
/// (`EACCES`, `EPERM`); the message names the command that helps.
pub fn remove(path: &Path) -> Result<()> {
    let shown = printable(path);
    if let Some(mount) = mounted_below(path)? {
        bail!(
            "remove {shown}: something is mounted on {mount}, and its files \
             would go too; first: sudo umount {mount}"
        );
    }
    match remove_tree(AT_FDCWD, path) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error @ (Errno::EACCES | Errno::EPERM)) => bail!(
            "remove {shown}: {}: some of it is not yours (a container ran in \
             it as root?); this removes it:\n  \
             sudo rm -r --one-file-system -- '{shown}'",
            io::Error::from(error)
        ),
        Err(error) => Err(error).with_context(|| format!("remove {shown}")),
    }
}

/// Removes what has the single name `name` in an open folder.
///
/// # Errors
/// As [`remove`]; that something is mounted shows only where it is (`EBUSY`).
pub fn remove_at(folder: &OwnedFd, name: &OsStr) -> Result<()> {
    match remove_tree(folder.as_fd(), name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error).context("remove it"),
    }
}

fn remove_tree(
    above: BorrowedFd<'_>,
    name: &(impl NixPath + ?Sized),
) -> nix::Result<()> {
    match open_folder(above, name) {
        Ok(folder) => Walk::from(folder)?.run()?,
        Err(Errno::ENOTDIR | Errno::ELOOP) => {
            return unlinkat(above, name, UnlinkatFlags::NoRemoveDir);
        }
        Err(error) => return Err(error),
    }
    unlinkat(above, name, UnlinkatFlags::RemoveDir)
}

/// A folder on the way down.
struct Level {
    /// Its name in the one above, but for the first.
    name: CString,
    /// What it is, wherever it may be: device and inode.
    identity: (u64, u64),
    /// `None` where it has been closed, to be found again through `..`.
    folder: Option<OwnedFd>,
    /// Folders in it that are still to be emptied.
    folders: Vec<CString>,
    /// May there be more in it than has been read?
    is_partial: bool,
}

/// A walk through a tree, by a stack that is its own.
struct Walk {
    levels: Vec<Level>,
}

impl Walk {
    fn from(folder: OwnedFd) -> nix::Result<Self> {
        let level = Level::enter(CString::default(), folder)?;
        Ok(Self { levels: vec![level] })
    }

    /// Empties the folder that it began in.
    fn run(mut self) -> nix::Result<()> {
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.folders.pop() {
                let below = open_folder(level.folder()?, name.as_c_str())?;
                let below = Level::enter(name, below)?;
                if below.identity.0 != self.levels[0].identity.0 {
                    return Err(Errno::EBUSY); // another filesystem's
                }
                self.down(below);
            } else if level.is_partial {
                level.read()?;
            } else {
                self.up()?;
            }
        }
        Ok(())
    }

    fn down(&mut self, below: Level) {
        self.levels.push(below);
        // The first is kept open: it has no `..` that is ours to use.
        let count = self.levels.len();
        if let Some(far) = count.checked_sub(HELD).filter(|far| *far > 0) {
            self.levels[far].folder = None;
        }
    }

    /// The last level is empty: it goes.
    fn up(&mut self) -> nix::Result<()> {
        let Some(done) = self.levels.pop() else { return Ok(()) };
        let Some(above) = self.levels.last_mut() else { return Ok(()) };
        if above.folder.is_none() {
            above.reopen(done.folder()?)?;
        }
        let name = done.name.as_c_str();
        unlinkat(above.folder()?, name, UnlinkatFlags::RemoveDir)
    }
}

impl Level {
    fn enter(name: CString, folder: OwnedFd) -> nix::Result<Self> {
        let stat = fstat(&folder)?;
        // An image may hold folders that their owner cannot write to.
        if stat.st_mode & 0o700 != 0o700 {
            // fchmod(2) takes no O_PATH, and a name could be another's now.
            let name = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let _ = fs::set_permissions(name, Permissions::from_mode(0o700));
        }
        let identity = (stat.st_dev, stat.st_ino);
        let folder = Some(folder);
        let folders = Vec::new();
        Ok(Self { name, identity, folder, folders, is_partial: true })
    }

    /// Its descriptor. The last of a walk always has one.
    fn folder(&self) -> nix::Result<&OwnedFd> {
        self.folder.as_ref().ok_or(Errno::EBADF)
    }

    /// Reads some names, and removes those that are no folders'.
    fn read(&mut self) -> nix::Result<()> {
        let folder = self.folder.as_ref().ok_or(Errno::EBADF)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut list = Dir::openat(folder, ".", flags, Mode::empty())?;
        self.is_partial = false;
        for entry in list.iter().take(BATCH + 2) {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // What was removed leaves no gap to trust (readdir(3)): it is
            // read anew until nothing is left.
            self.is_partial = true;
            if entry.file_type() == Some(Type::Directory) {
                self.folders.push(name.to_owned());
                continue;
            }
            match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
                Err(Errno::EISDIR) => self.folders.push(name.to_owned()),
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens it again from a folder that was in it. Somebody may have moved
    /// that one meanwhile, and its `..` be any folder of the machine.
    fn reopen(&mut self, inner: &OwnedFd) -> nix::Result<()> {
        let folder = open_folder(inner, c"..")?;
        let stat = fstat(&folder)?;
        if (stat.st_dev, stat.st_ino) != self.identity {
            return Err(Errno::ESTALE);
        }
        self.folder = Some(folder);
        Ok(())
    }
}

/// Opens a folder without a right to read it: O_PATH needs none.
fn open_folder(
    above: impl AsFd,
    name: &(impl NixPath + ?Sized),
) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH
        | OFlag::O_DIRECTORY
        | OFlag::O_NOFOLLOW
        | OFlag::O_CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

/// The first mount point at or below `path`.
fn mounted_below(path: &Path) -> Result<Option<String>> {
    let Ok(path) = path.canonicalize() else { return Ok(None) };
    let mounts = Proc::own()
        .mounts()
        .context("look at what is mounted, to spare it")?;
    let mut points = mounts.iter().map(|mount| &mount.point);
    let below = points.find(|point| point.starts_with(&path));
    Ok(below.map(printable))
}
