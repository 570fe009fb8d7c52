//! Sleeps until a file of the rung is saved. The kernel wakes us (inotify(7));
//! there is no polling.
//!
//! An inotify watch follows an inode, not a path: a folder that git replaces
//! takes its watch away with it. So the folders above are watched as well, and
//! when one of them changes the path is walked anew.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{
    AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor,
};
use step00::Advice;

use crate::ladder::{Repository, Rung};

/// An editor may write a file more than once: a save is over when nothing has
/// happened for so long,
const SETTLED: u16 = 50;
/// and in any case after this, or a program that writes for ever would keep us.
const PATIENCE: Duration = Duration::from_secs(1);

const ADVICE: &str = "too many files are watched: sudo sysctl \
                      fs.inotify.max_user_watches=65536 \
                      fs.inotify.max_user_instances=1024";

/// A rung's folder that is being watched.
pub struct Watch {
    inotify: Inotify,
    /// The repository, and each folder on the way to the sources.
    folders: Vec<PathBuf>,
    /// What watches each of them; `None` where there is no such folder now.
    watches: Vec<Option<WatchDescriptor>>,
}

impl Watch {
    /// Begins. What is saved from now on is not missed, even before
    /// [`Watch::has_news`] is called.
    ///
    /// # Errors
    /// EMFILE, ENOSPC: the user has too many watches already.
    pub fn new(repository: &Repository, rung: &Rung) -> Result<Watch> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let inotify = Inotify::init(flags);
        let inotify =
            inotify.context("ask the kernel for inotify").advice(ADVICE)?;
        let source = rung.exercise();
        let mut folders = vec![repository.0.clone()];
        for part in source.parent().into_iter().flatten() {
            let below = folders.last().map(|folder| folder.join(part));
            folders.extend(below);
        }
        let mut watch = Watch { inotify, folders, watches: Vec::new() };
        watch.walk()?;
        Ok(watch)
    }

    /// What poll(2) waits for.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Was a Rust file saved, or did one go or come with its folder? What
    /// happens until the save has settled counts as one with it.
    ///
    /// # Errors
    /// The kernel's answer cannot be read.
    pub fn has_news(&mut self) -> Result<bool> {
        let mut is_saved = self.read()?;
        let start = Instant::now();
        while is_saved && start.elapsed() < PATIENCE && self.is_busy()? {
            is_saved |= self.read()?;
        }
        Ok(is_saved)
    }

    /// Does anything happen within the next moment?
    fn is_busy(&self) -> Result<bool> {
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(SETTLED)) {
            Err(Errno::EINTR) => Ok(true),
            count => Ok(count.context("wait for the end of a save")? > 0),
        }
    }

    /// All that the kernel has to tell by now.
    fn read(&mut self) -> Result<bool> {
        let (mut is_saved, mut is_moved) = (false, false);
        loop {
            let events = match self.inotify.read_events() {
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => continue,
                events => events.context("read what was saved")?,
            };
            for event in &events {
                is_saved |= self.is_save(event);
                is_moved |= self.is_move(event);
            }
        }
        // Other folders under the same names have other files.
        Ok((is_moved && self.walk()?) || is_saved)
    }

    fn is_save(&self, event: &InotifyEvent) -> bool {
        // More happened than the kernel keeps: it may have been a save.
        event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
            || self.watches.last() == Some(&Some(event.wd))
                && event.name.as_deref().is_some_and(is_source)
    }

    /// Did one of the folders come or go?
    fn is_move(&self, event: &InotifyEvent) -> bool {
        let lost = AddWatchFlags::IN_Q_OVERFLOW | AddWatchFlags::IN_IGNORED;
        let names = self.folders.iter().map(|folder| folder.file_name());
        let ways = self.watches.iter().zip(names.skip(1));
        let mut here = ways.filter(|(watch, _)| **watch == Some(event.wd));
        event.mask.intersects(lost | itself())
            || here.any(|(_, name)| name == event.name.as_deref())
    }

    /// Watches what is under the paths now. Is the folder with the sources
    /// there, and another one than before?
    fn walk(&mut self) -> Result<bool> {
        let saved = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        let passed = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        let before = std::mem::take(&mut self.watches);
        let last = self.folders.len() - 1;
        for (at, folder) in self.folders.iter().enumerate() {
            let wanted = if at == last { saved } else { passed };
            let wanted = wanted | itself() | AddWatchFlags::IN_ONLYDIR;
            // The folder and not the file: many editors write a new file and
            // rename it over the old one, and a watch stays with the old one.
            let watch = match self.inotify.add_watch(folder, wanted) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => None,
                watch => Some(
                    watch
                        .with_context(|| format!("watch {}", folder.display()))
                        .advice(ADVICE)?,
                ),
            };
            self.watches.push(watch);
        }
        // What was moved away is still there, and none of our business.
        for old in before.iter().flatten() {
            if !self.watches.contains(&Some(*old)) {
                let _ = self.inotify.rm_watch(*old);
            }
        }
        let now = self.watches.last().copied().flatten();
        Ok(now.is_some() && before.last() != Some(&now))
    }
}

/// The watched folder itself has gone, or has another name.
fn itself() -> AddWatchFlags {
    AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF
}

/// Editors keep other files beside it, as `.exercise.rs.swp`.
fn is_source(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".rs") && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::check::scratch::Scratch;
    use crate::ladder::LADDER;

    /// A repository with an empty folder of sources, and who watches it.
    fn watched() -> Result<(Scratch, PathBuf, Watch)> {
        let scratch = Scratch::new()?;
        let source = scratch.join("steps/step01/src");
        fs::create_dir_all(&source)?;
        let repository = Repository(scratch.join(""));
        let watch = Watch::new(&repository, &LADDER[1])?;
        Ok((scratch, source, watch))
    }

    #[test]
    fn whatever_a_save_can_be_is_news_once() -> Result<()> {
        let (_scratch, source, mut watch) = watched()?;
        let file = source.join("exercise.rs");
        fs::write(&file, "one")?;
        assert!(watch.has_news()?, "written");
        assert!(!watch.has_news()?, "the control: only once");
        fs::write(source.join("new"), "two")?;
        fs::write(source.join(".exercise.rs.swp"), "two")?;
        assert!(!watch.has_news()?, "the control: others' files");
        fs::rename(source.join("new"), &file)?;
        assert!(watch.has_news()?, "renamed");
        fs::write(&file, b"\xff\xfe")?;
        assert!(watch.has_news()?, "no text");
        fs::remove_file(&file)?;
        assert!(watch.has_news()?, "deleted");
        Ok(())
    }

    #[test]
    fn another_folder_under_the_same_name_is_watched() -> Result<()> {
        let (scratch, source, mut watch) = watched()?;
        let step = scratch.join("steps/step01");
        for above in [source.clone(), step, scratch.join("steps")] {
            fs::rename(&above, scratch.join("old"))?;
            assert!(!watch.has_news()?, "nothing is there");
            fs::create_dir_all(&source)?;
            assert!(watch.has_news()?, "{} is back", above.display());
            fs::write(source.join("exercise.rs"), "new")?;
            assert!(watch.has_news()?, "written in the new one");
            fs::create_dir_all(scratch.join("old/src"))?;
            fs::write(scratch.join("old/exercise.rs"), "old")?;
            assert!(!watch.has_news()?, "the control: the one moved away");
            fs::remove_dir_all(scratch.join("old"))?;
        }
        fs::remove_dir_all(&source)?;
        assert!(watch.has_news()?, "removed");
        fs::create_dir_all(&source)?;
        fs::write(source.join("exercise.rs"), "new")?;
        assert!(watch.has_news()?, "made anew");
        Ok(())
    }

    #[test]
    fn more_than_the_kernel_keeps_may_have_been_a_save() -> Result<()> {
        let limit = "/proc/sys/fs/inotify/max_queued_events";
        let limit: usize = fs::read_to_string(limit)?.trim().parse()?;
        if limit > 100_000 {
            return Ok(()); // it would take too long to fill
        }
        let (_scratch, source, mut watch) = watched()?;
        let (one, two) = (source.join("a.txt"), source.join("b.txt"));
        fs::write(&one, "")?;
        for _ in 0..limit / 2 {
            // Two events each, and none of them of a Rust file.
            fs::rename(&one, &two)?;
            fs::rename(&two, &one)?;
        }
        assert!(watch.has_news()?);
        assert!(!watch.has_news()?, "the control: it is over");
        Ok(())
    }
}
