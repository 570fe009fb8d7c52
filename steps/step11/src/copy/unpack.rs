//! The one who unpacks: has each thing made in the folder that is open.

use std::ffi::{OsStr, OsString};
use std::io::BufReader;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, openat};
use nix::sys::stat::Mode;
use step00::Advice;

use super::make::{FOLDER, Maker, Open};
use super::stream::{Entry, hear};

/// Where the first thing goes to.
pub(super) struct Target {
    /// The folder that it goes into.
    folder: OwnedFd,
    /// What it is called there; its own name, if there is none.
    name: Option<OsString>,
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
