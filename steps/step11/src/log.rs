//! What a detached container prints, kept in a file of limited size.
//!
//! The container writes into a pipe, and not into the file: the launcher
//! decides how much is kept. (The file is in /run, a tmpfs, and so in memory.)

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::pipe2;

/// A log of this many bytes becomes `log.1`, and a new one begins.
const LARGEST: u64 = 4 << 20;

/// The pipe from the container to its log.
pub struct Log {
    path: PathBuf,
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Log {
    /// Makes the pipe, and an empty file, if a log is wanted.
    ///
    /// # Errors
    /// EMFILE, and as for open(2).
    pub fn new(path: PathBuf, is_wanted: bool) -> Result<Option<Log>> {
        if !is_wanted {
            return Ok(None);
        }
        let flags = OFlag::O_CLOEXEC;
        let (reader, writer) = pipe2(flags).context("make a pipe")?;
        open(&path)?;
        Ok(Some(Log { path, reader, writer }))
    }

    /// Inside: stdout and stderr become the pipe.
    pub fn take_over(&self) -> Result<()> {
        for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            // SAFETY: both are plain descriptor numbers.
            let answer =
                unsafe { libc::dup2(self.writer.as_raw_fd(), stream) };
            Errno::result(answer).context("put the log on a descriptor")?;
        }
        Ok(())
    }

    /// Outside, when the process has its end of the pipe: carries what comes
    /// until no process holds that end any more.
    pub fn keep(self) -> Result<JoinHandle<()>> {
        drop(self.writer);
        let (mut reader, path) = (File::from(self.reader), self.path);
        let carry = move || {
            // The disk is full: there is no one to tell, and the container
            // must not block on a full pipe.
            if carry(&mut reader, &path).is_err() {
                let _ = io::copy(&mut reader, &mut io::sink());
            }
        };
        let builder = thread::Builder::new().name("log".into());
        builder.spawn(carry).context("start a thread for the log")
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).append(true).mode(0o600);
    options.open(path).with_context(|| format!("open {}", path.display()))
}

fn carry(from: &mut impl Read, path: &Path) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let mut log = open(path)?;
        let mut length = log.metadata()?.len();
        while length < LARGEST {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            log.write_all(&buffer[..read])?;
            length += read as u64;
        }
        fs::rename(path, path.with_extension("1"))?;
    }
}

/// Prints a log from its beginning; with `follow` also what is added, until
/// its launcher has ended.
pub fn print(folder: &Path, follow: Option<&dyn Fn() -> bool>) -> Result<()> {
    let (log, older) = (folder.join("log"), folder.join("log.1"));
    let events = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
        .context("start inotify")?;
    // A rename is an event of the folder.
    let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVE;
    events.add_watch(folder, changes).context("watch the log's folder")?;
    let mut screen = io::stdout().lock();
    if let Ok(mut older) = File::open(&older) {
        io::copy(&mut older, &mut screen)?;
    }
    let Ok(mut file) = File::open(&log) else {
        bail!("it was not started with --detach, and so has no log");
    };
    loop {
        // Asked before the last read, or what it wrote last would be missed.
        let is_over = follow.is_none_or(|is_over| is_over());
        io::copy(&mut file, &mut screen)?;
        screen.flush()?;
        if is_over {
            return Ok(());
        }
        wait(&events)?;
        let was_renamed = older.exists() && !is_same(&file, &log);
        if was_renamed {
            io::copy(&mut file, &mut screen)?;
            file = File::open(&log)?;
        }
    }
}

/// Waits for a change, or for a second: the end of a container changes no
/// file that is watched here.
fn wait(events: &Inotify) -> Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let fd = PollFd::new(events.as_fd(), PollFlags::POLLIN);
    poll(&mut [fd], PollTimeout::from(500u16)).context("wait for the log")?;
    let _ = events.read_events();
    Ok(())
}

fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = file.metadata().map(|found| found.ino()).ok();
    inode == fs::metadata(path).map(|found| found.ino()).ok()
}
