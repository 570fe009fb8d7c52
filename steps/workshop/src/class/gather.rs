//! Reads what a room has handed in. All of it is a stranger's: names, sizes,
//! contents, and what kind of file it is.
//!
//! - No link is followed, wherever it leads: openat2(2), RESOLVE_NO_SYMLINKS.
//! - Nothing but a regular file is opened for reading: a pipe would wait for a
//!   writer, and to open a device is to do something.
//! - What is too long, too deep or too many is named, and the rest is read.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::{Learner, Room};
use crate::learn::progress::{FILE, Progress};
use crate::text::malformed;

/// Ours have less than a tenth of it.
const LONGEST: u64 = 64 << 10;
/// NAME/clone/.workshop.json is as deep as anybody hands in.
const DEEPEST: usize = 3;
/// More entries than any room makes.
const MOST: usize = 10_000;

/// Where it may look, and how far it has come.
struct Search {
    root: OwnedFd,
    /// Folders that are still to be read, below the root, and how deep.
    folders: VecDeque<(PathBuf, usize)>,
    entries: usize,
    room: Room,
}

/// Reads the folder, and those below it.
///
/// # Errors
/// The folder itself cannot be read. Whatever is in it is no error.
pub(super) fn gather(folder: &Path) -> Result<Room> {
    let open = || -> Result<OwnedFd> {
        fs::read_dir(folder)?;
        Ok(File::open(folder)?.into())
    };
    let root = open().with_context(|| format!("read {}", folder.display()))?;
    let folders = VecDeque::from([(PathBuf::new(), 0)]);
    let room = Room::default();
    let mut search = Search { root, folders, entries: 0, room };
    while let Some((folder, depth)) = search.folders.pop_front() {
        if let Err(error) = search.look_into(&folder, depth) {
            search.refuse(&folder, &error);
        }
    }
    let Room { mut learners, mut refused } = search.room;
    learners.sort_by(|one, other| one.name.cmp(&other.name));
    refused.sort();
    Ok(Room { learners, refused })
}

impl Search {
    fn look_into(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let fd = self.open(folder, OFlag::O_DIRECTORY | OFlag::O_RDONLY)?;
        // The descriptor's own entry in /proc is that very folder.
        let entries = fs::read_dir(path_of(&fd))?;
        let room = MOST.saturating_sub(self.entries);
        let mut names: Vec<OsString> = Vec::new();
        for entry in entries.take(room + 1) {
            names.push(entry?.file_name());
        }
        let is_all = names.len() <= room;
        names.truncate(room);
        self.entries += names.len();
        names.sort();
        for name in names {
            let path = folder.join(&name);
            if let Err(error) = self.consider(&path, depth) {
                self.refuse(&path, &error);
            }
        }
        match is_all {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "there are more than {MOST} files, the rest is not read"
            ))),
        }
    }

    /// A file of progress, a folder, or nothing to us?
    fn consider(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_named = depth == 0
            && !is_hidden
            && path.extension().is_some_and(|end| end == "json");
        let learner = match () {
            () if is_named => path.with_extension(""),
            // One's own repository is a class of one.
            () if name == FILE && depth == 0 => PathBuf::from("."),
            () if name == FILE => path.parent().unwrap_or(path).into(),
            () if is_hidden || name == "target" => return Ok(()),
            () => return self.remember(path, depth),
        };
        let progress = self.read(path)?;
        let name = learner.to_string_lossy().into_owned();
        self.room.learners.push(Learner { name, progress });
        Ok(())
    }

    /// A folder is read later; no other kind of file is of interest.
    fn remember(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let fd = self.open(path, flags)?;
        let kind = File::from(fd).metadata()?.file_type();
        if kind.is_symlink() && depth == 0 {
            return Err(io::Error::other("a link, which is not followed"));
        }
        if kind.is_dir() && depth < DEEPEST {
            self.folders.push_back((path.into(), depth + 1));
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Progress> {
        read(self.open(path, OFlag::O_PATH)?)
    }

    /// Opens what is below the root, and by no link.
    fn open(&self, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let path = if path == Path::new("") { ".".as_ref() } else { path };
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
        );
        openat2(self.root.as_fd(), path, how).map_err(|errno| match errno {
            nix::errno::Errno::ELOOP => {
                io::Error::other("a link, which is not followed")
            }
            other => other.into(),
        })
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        let name = match path.to_string_lossy() {
            name if name.is_empty() => ".".into(),
            name => name.into_owned(),
        };
        self.room.refused.push((name, error.to_string()));
    }
}

/// What lies under this name, which may be a link or a pipe as well.
///
/// # Errors
/// It is no progress file.
pub(super) fn read_own(path: &Path) -> io::Result<Progress> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(flags.bits());
    read(options.open(path)?.into())
}

/// Reads a file that was opened with O_PATH alone, if it is an ordinary one.
fn read(fd: OwnedFd) -> io::Result<Progress> {
    let file = File::from(fd.try_clone()?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("no ordinary file"));
    }
    let mut text = Vec::new();
    let file = File::open(path_of(&fd))?;
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        let limit = format!("more than {} KiB long", LONGEST >> 10);
        return Err(io::Error::other(limit));
    }
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    Progress::parse(text).map_err(|error| io::Error::other(malformed(&error)))
}

fn path_of(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}
