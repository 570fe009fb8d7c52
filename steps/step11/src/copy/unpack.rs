//! The one who unpacks: makes each thing in the folder that it has open.

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};
use step00::Advice;

use super::stream::{Entry, Known, hear, receive_file};

const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// Where the first thing goes to.
pub(super) struct Target {
    /// The folder that it goes into.
    folder: OwnedFd,
    /// What it is called there; its own name, if there is none.
    name: Option<std::ffi::OsString>,
}

impl Target {
    /// A folder that is there: the copy goes into it. Any other path is that of
    /// the copy, in a folder that is there.
    ///
    /// # Errors
    /// ENOENT when that is not, or `path` ends in `/` and is not.
    pub(super) fn open(path: &Path) -> Result<Target> {
        let open = |path: &Path| openat(AT_FDCWD, path, FOLDER, Mode::empty());
        let folder = || format!("open the folder {}", path.display());
        let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
        match open(path) {
            Ok(folder) => return Ok(Target { folder, name: None }),
            Err(Errno::ENOENT | Errno::ENOTDIR) if !is_folder => {}
            Err(errno) => return Err(errno).with_context(folder),
        }
        let name = path.file_name().map(OsStr::to_owned);
        let above = path.parent().filter(|above| *above != Path::new(""));
        let folder =
            open(above.unwrap_or(Path::new("."))).with_context(folder);
        let folder =
            folder.advice("the folder that it goes into comes first")?;
        Ok(Target { folder, name })
    }

    /// Makes all that comes, for this owner if not for who we are.
    pub(super) fn unpack(
        self,
        socket: &UnixStream,
        owner: Option<(u32, u32)>,
    ) -> Result<()> {
        let mut from = BufReader::new(socket);
        let mut open = vec![Open { folder: self.folder, known: None }];
        // The name that was asked for is that of the first one.
        let mut first = self.name;
        loop {
            let entry = hear(&mut from)?;
            let here = open.last().context("leave the target")?;
            let maker = Maker { folder: here.folder.as_fd(), owner };
            match entry {
                Entry::Folder(known) => {
                    let name = first.take().unwrap_or(known.name.clone());
                    let made = maker.folder(&name, known);
                    open.push(made.with_context(|| making(&name))?);
                }
                Entry::Up if open.len() > 1 => {
                    open.pop().map_or(Ok(()), Open::close)?;
                }
                Entry::File(known) => {
                    let name = first.take().unwrap_or(known.name.clone());
                    let made = maker.file(&name, &known, &mut from);
                    made.with_context(|| making(&name))?;
                }
                Entry::Link(name, text) => {
                    let name = first.take().unwrap_or(name);
                    let made = maker.link(&name, &text);
                    made.with_context(|| making(&name))?;
                }
                Entry::Other(path) => step00::epilogue(&format!(
                    "passed over: {} is no file, folder or link",
                    path.escape_debug()
                )),
                Entry::End => return Ok(()),
                Entry::Up | Entry::Failed(_) => bail!("leave the target"),
            }
        }
    }
}

fn making(name: &OsStr) -> String {
    format!("make {}", Path::new(name).display())
}

/// A folder that is being filled. Its mode comes last: it may be one in which
/// nothing can be made.
struct Open {
    folder: OwnedFd,
    known: Option<Known>,
}

impl Open {
    fn close(self) -> Result<()> {
        match self.known {
            Some(known) => finish(&self.folder, &known),
            None => Ok(()),
        }
    }
}

struct Maker<'a> {
    folder: std::os::fd::BorrowedFd<'a>,
    owner: Option<(u32, u32)>,
}

/// What is being made has this name, until it is whole: what it is to replace
/// stays until then, and nothing is written through it, be it a link.
const NEW: &str = ".step11-cp";

impl Maker<'_> {
    /// A folder; one that is there is filled up, and stays as it is otherwise.
    fn folder(&self, name: &OsStr, known: Known) -> Result<Open> {
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

    fn file(
        &self,
        name: &OsStr,
        known: &Known,
        from: &mut BufReader<&UnixStream>,
    ) -> Result<()> {
        let flags = OFlag::O_WRONLY
            | OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let new = New::at(self.folder);
        let file = File::from(openat(self.folder, NEW, flags, mode)?);
        receive_file(from, &file)?;
        self.give(Path::new(NEW))?;
        finish(&file, known)?;
        new.replace(name)
    }

    fn link(&self, name: &OsStr, text: &OsStr) -> Result<()> {
        let new = New::at(self.folder);
        symlinkat(text, self.folder, NEW)?;
        self.give(Path::new(NEW))?;
        new.replace(name)
    }

    fn give(&self, name: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let flag = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(fchownat(self.folder, name, Some(uid), Some(gid), flag)?)
    }
}

/// Something new, removed again unless it becomes whole.
struct New<'a>(std::os::fd::BorrowedFd<'a>);

impl<'a> New<'a> {
    /// What an earlier copy that was killed has left goes first.
    fn at(folder: std::os::fd::BorrowedFd<'a>) -> New<'a> {
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

fn finish(file: impl AsFd, known: &Known) -> Result<()> {
    fchmod(&file, Mode::from_bits_truncate(known.mode & 0o777))?;
    let changed = TimeSpec::new(known.changed, 0);
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
