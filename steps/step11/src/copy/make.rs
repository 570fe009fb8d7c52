//! How each thing is made by the one who unpacks: in a folder that is open, by
//! a name that is no path, and through nothing that is there already.

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Component, Path};

use anyhow::{Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, futimens, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};
use step00::stat::time;

use super::stream::{Known, receive_file};

/// A folder, whatever its path is.
pub(super) const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// A folder that is being filled. Its mode comes last: it may be one in which
/// nothing can be made.
pub(super) struct Open {
    /// Everything is made in here, by its name.
    pub(super) folder: OwnedFd,
    /// What is to be set at last; nothing where it was there before.
    pub(super) known: Option<Known>,
}

impl Open {
    /// Nothing more comes in here.
    ///
    /// # Errors
    /// As for fchmod(2) and utimensat(2).
    pub(super) fn close(self) -> Result<()> {
        match self.known {
            Some(known) => finish(&self.folder, &known),
            None => Ok(()),
        }
    }
}

/// Makes things in one folder.
pub(super) struct Maker<'a> {
    /// That folder.
    pub(super) folder: BorrowedFd<'a>,
    /// To whom they are given, if not to who makes them.
    pub(super) owner: Option<(u32, u32)>,
}

/// What is being made has this name, until it is whole: what it is to replace
/// stays until then, and nothing is written through it, be it a link.
const NEW: &str = ".step11-cp";

impl Maker<'_> {
    /// A folder; one that is there is filled up, and stays as it is otherwise.
    ///
    /// # Errors
    /// ENOTDIR when there is something else of that name, a link among it.
    pub(super) fn folder(&self, name: &OsStr, known: Known) -> Result<Open> {
        // What is in the source goes into the target itself.
        if name.is_empty() {
            let folder = self.folder.try_clone_to_owned()?;
            return Ok(Open { folder, known: None });
        }
        let path = plain(name)?;
        let made = mkdirat(self.folder, path, Mode::S_IRWXU);
        let flags = FOLDER | OFlag::O_NOFOLLOW;
        let folder = openat(self.folder, path, flags, Mode::empty())?;
        match made {
            Ok(()) => self.give(path)?,
            Err(Errno::EEXIST) => return Ok(Open { folder, known: None }),
            Err(errno) => return Err(errno.into()),
        }
        Ok(Open { folder, known: Some(known) })
    }

    /// A file, which replaces what is there.
    ///
    /// # Errors
    /// EISDIR when that is a folder, and as for open(2) and write(2).
    pub(super) fn file(
        &self,
        name: &OsStr,
        known: &Known,
        from: &mut BufReader<&UnixStream>,
    ) -> Result<()> {
        let new = New::at(self.folder);
        let file = create(self.folder)?;
        receive_file(from, &file)?;
        self.give(Path::new(NEW))?;
        finish(&file, known)?;
        new.replace(name)
    }

    /// A link that says the same, wherever that may lead from here.
    ///
    /// # Errors
    /// As above.
    pub(super) fn link(&self, name: &OsStr, text: &OsStr) -> Result<()> {
        let new = New::at(self.folder);
        symlinkat(text, self.folder, NEW)?;
        self.give(Path::new(NEW))?;
        new.replace(name)
    }

    /// Before it has its name, or before anything is in it.
    fn give(&self, name: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let flag = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(fchownat(self.folder, name, Some(uid), Some(gid), flag)?)
    }
}

/// Something new, removed again unless it becomes whole.
struct New<'a>(BorrowedFd<'a>);

impl<'a> New<'a> {
    /// What an earlier copy that was killed has left goes first.
    fn at(folder: BorrowedFd<'a>) -> New<'a> {
        let _ = unlinkat(folder, NEW, UnlinkatFlags::NoRemoveDir);
        New(folder)
    }

    /// It takes the place of what has that name: rename(2).
    fn replace(self, name: &OsStr) -> Result<()> {
        Ok(renameat(self.0, NEW, self.0, plain(name)?)?)
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.0, NEW, UnlinkatFlags::NoRemoveDir);
    }
}

/// O_EXCL: what somebody inside puts there in the meantime is not opened, be
/// it a link. Until it is whole, it is for nobody else to read.
fn create(folder: BorrowedFd<'_>) -> nix::Result<File> {
    let flags = OFlag::O_WRONLY
        | OFlag::O_CREAT
        | OFlag::O_EXCL
        | OFlag::O_CLOEXEC
        | OFlag::O_LARGEFILE;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    openat(folder, NEW, flags, mode).map(File::from)
}

fn finish(file: impl AsFd, known: &Known) -> Result<()> {
    fchmod(&file, Mode::from_bits_truncate(known.mode & 0o777))?;
    let changed = time(known.changed, 0);
    Ok(futimens(&file, &changed, &changed)?)
}

/// A name and no path.
fn plain(name: &OsStr) -> Result<&Path> {
    let path = Path::new(name);
    let mut parts = path.components();
    let is_plain = matches!(parts.next(), Some(Component::Normal(part)) if part == name)
        && parts.next().is_none();
    ensure!(is_plain, "{name:?} is no name");
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_link_in_the_place_of_a_new_file_is_not_followed() {
        let folder = witness::Folder::new();
        let open = File::open(folder.path()).expect("open it");
        symlink("elsewhere", folder.join(NEW)).expect("make a link");
        let refused = create(open.as_fd()).map(drop);
        assert_eq!(refused, Err(Errno::EEXIST));
        assert!(!folder.join("elsewhere").exists());
        fs::remove_file(folder.join(NEW)).expect("remove the link");
        let control = create(open.as_fd()).expect("the control");
        let found = control.metadata().expect("look at it");
        assert_eq!(found.mode() & 0o777, 0o600);
        assert!(folder.join(NEW).is_file());
    }
}
