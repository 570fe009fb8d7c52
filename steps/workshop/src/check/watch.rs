//! `check --watch`: sleeps until a file of the rung is saved. The kernel wakes
//! us (inotify(7)); there is no polling.

use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::ladder::{Repository, Rung};

/// How long an editor may take to save a file: some write it more than once.
const SETTLED: Duration = Duration::from_millis(50);

/// A rung's folder that is being watched.
pub struct Watch(Inotify);

impl Watch {
    /// Begins. What is saved from now on is not missed, even before
    /// [`Watch::wait`] is called.
    ///
    /// # Errors
    /// The folder is not there, or the user has too many watches already.
    pub fn new(repository: &Repository, rung: &Rung) -> Result<Watch> {
        let exercise = repository.0.join(rung.exercise());
        let folder = exercise.parent().context("find its folder")?;
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC);
        let inotify = inotify.context("ask the kernel for inotify")?;
        // The folder and not the file: many editors write a new file and
        // rename it over the old one, and a watch stays with the old one.
        let saved = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
        inotify
            .add_watch(folder, saved)
            .with_context(|| format!("watch {}", folder.display()))?;
        Ok(Watch(inotify))
    }

    /// Waits until a Rust file is saved.
    ///
    /// # Errors
    /// The kernel's answer cannot be read.
    pub fn wait(&self) -> Result<()> {
        loop {
            let events = match self.0.read_events() {
                Err(Errno::EINTR) => continue,
                events => events.context("wait for a file to be saved")?,
            };
            let names = events.iter().filter_map(|e| e.name.as_deref());
            if names.into_iter().any(is_source) {
                break;
            }
        }
        std::thread::sleep(SETTLED);
        self.forget()
    }

    /// What has happened by now counts as one save with what woke us.
    fn forget(&self) -> Result<()> {
        use std::os::fd::AsFd;

        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        while poll(&mut polled, PollTimeout::ZERO).context("poll")? > 0 {
            self.0.read_events().context("read what was saved")?;
        }
        Ok(())
    }
}

/// Editors keep other files beside it, as `.exercise.rs.swp`.
fn is_source(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".rs") && !name.starts_with('.')
}
