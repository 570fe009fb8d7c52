//! The one who packs: walks through a tree, and follows no link in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::dir::Dir;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use step00::stat::{FileStat, changed, fstat, fstatat};

use super::stream::{Entry, Known, say, send_file};

/// How many folders may lie in each other. Each one is a descriptor.
const DEEPEST: usize = 200;

/// Neither a terminal becomes ours by it, nor does a pipe without a writer
/// keep us: what is opened to be read is a file, and looked at before; but it
/// can be exchanged in between.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_LARGEFILE)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC);

/// Packs what is at `source`. If that is a link, it is copied as one, unless
/// it is to be followed, or ends in `/`.
///
/// # Errors
/// ENOENT when there is nothing, and as for open(2).
pub(super) fn pack(
    source: &Path,
    follow: bool,
    socket: &UnixStream,
) -> Result<()> {
    let ends_in = |end: &[u8]| source.as_os_str().as_bytes().ends_with(end);
    let name = source.file_name().filter(|_| !ends_in(b"/."));
    let no_follow = match follow || ends_in(b"/") || ends_in(b"/.") {
        true => OFlag::empty(),
        false => OFlag::O_NOFOLLOW,
    };
    let (to, path) = (BufWriter::new(socket), Vec::new());
    let mut packer = Packer { to, source, path, no_follow };
    packer
        .one(AT_FDCWD, source.as_os_str(), name.unwrap_or_default())
        .with_context(|| format!("read {}", packer.place()))?;
    say(&mut packer.to, &Entry::End)?;
    packer.to.flush().context("send through the sockets")
}

struct Packer<'a> {
    to: BufWriter<&'a UnixStream>,
    source: &'a Path,
    /// The names on the way from there to where it is.
    path: Vec<OsString>,
    /// For the first one only.
    no_follow: OFlag,
}

impl Packer<'_> {
    /// Where it is, for messages.
    fn place(&self) -> String {
        let mut place = self.source.to_owned();
        place.extend(&self.path);
        place.display().to_string()
    }

    /// Packs one thing of this folder, under that name.
    fn one(
        &mut self,
        folder: BorrowedFd<'_>,
        path: &OsStr,
        name: &OsStr,
    ) -> Result<()> {
        let no_follow = self.no_follow;
        let look = match no_follow.is_empty() {
            true => AtFlags::empty(),
            false => AtFlags::AT_SYMLINK_NOFOLLOW,
        };
        let found = fstatat(folder, path, look)?;
        let open = |flags| openat(folder, path, flags | no_follow, NO_MODE);
        match kind(&found) {
            libc::S_IFDIR => {
                let folder = open(READ | OFlag::O_DIRECTORY)?;
                self.folder(folder, known(&found, name))
            }
            libc::S_IFREG => self.file(open(READ)?, name),
            libc::S_IFLNK => {
                let text = readlinkat(folder, path)?;
                say(&mut self.to, &Entry::Link(name.into(), text))
            }
            _ if self.path.is_empty() => {
                bail!("it is no file, folder or link")
            }
            _ => self.pass_over(),
        }
    }

    fn file(&mut self, file: OwnedFd, name: &OsStr) -> Result<()> {
        let found = fstat(&file)?;
        if kind(&found) != libc::S_IFREG {
            return self.pass_over();
        }
        say(&mut self.to, &Entry::File(known(&found, name)))?;
        send_file(File::from(file), &mut self.to)
    }

    fn pass_over(&mut self) -> Result<()> {
        let entry = Entry::Other(self.place());
        say(&mut self.to, &entry)
    }

    fn folder(&mut self, folder: OwnedFd, known: Known) -> Result<()> {
        ensure!(
            self.path.len() < DEEPEST,
            "more than {DEEPEST} folders lie in each other"
        );
        say(&mut self.to, &Entry::Folder(known))?;
        self.no_follow = OFlag::O_NOFOLLOW;
        for name in names(&folder)? {
            self.path.push(name.clone());
            match self.one(folder.as_fd(), &name, &name) {
                // It was removed in the meantime, as happens to files.
                Err(error) if is_gone(&error) => {}
                packed => packed?,
            }
            self.path.pop();
        }
        say(&mut self.to, &Entry::Up)
    }
}

const NO_MODE: Mode = Mode::empty();

fn kind(found: &FileStat) -> libc::mode_t {
    found.st_mode & libc::S_IFMT
}

fn known(found: &FileStat, name: &OsStr) -> Known {
    let mode = found.st_mode & 0o777;
    Known { name: name.into(), mode, changed: changed(found) }
}

/// By a descriptor of its own: reading a folder moves the place in it.
fn names(folder: &OwnedFd) -> Result<Vec<OsString>> {
    let mut dir = Dir::from_fd(folder.try_clone()?)?;
    let names = dir.iter().map(|entry| {
        let name = entry?.file_name().to_bytes().to_vec();
        Ok(std::os::unix::ffi::OsStringExt::from_vec(name))
    });
    let names: Vec<OsString> = names.collect::<nix::Result<_>>()?;
    Ok(names.into_iter().filter(|it| it != "." && it != "..").collect())
}

fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref() == Some(&nix::errno::Errno::ENOENT)
}
