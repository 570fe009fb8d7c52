//! What a detached container prints, kept in a file of limited size.
//!
//! The container writes into a pipe, and not into the file: it is the
//! launcher who decides how much is kept. (The file is in /run, and that is
//! memory.)

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::pipe2;
use step00::folder::Folder;
use step00::stat::fstat;

use crate::commands::tail::Tail;

/// When the log has so many bytes, it becomes `log.1` and a new one begins.
const LARGEST: u64 = 4 << 20;

/// The pipe from the container to its log.
pub struct Log {
    folder: Folder,
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Log {
    /// Makes the pipe, and an empty file, if a log is wanted.
    ///
    /// # Errors
    /// EMFILE, and as for open(2).
    pub fn new(folder: Folder, is_wanted: bool) -> Result<Option<Log>> {
        if !is_wanted {
            return Ok(None);
        }
        let flags = OFlag::O_CLOEXEC;
        let (reader, writer) = pipe2(flags).context("make a pipe")?;
        open(&folder)?;
        Ok(Some(Log { folder, reader, writer }))
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
    /// until nobody holds that any more.
    pub fn keep(self) -> Result<JoinHandle<()>> {
        drop(self.writer);
        let (mut reader, folder) = (File::from(self.reader), self.folder);
        let carry = move || {
            // A full disk: nobody to tell, and the container must not stop.
            if carry(&mut reader, &folder).is_err() {
                let _ = io::copy(&mut reader, &mut io::sink());
            }
        };
        let builder = thread::Builder::new().name("log".into());
        builder.spawn(carry).context("start a thread for the log")
    }
}

fn open(folder: &Folder) -> Result<File> {
    let flags = OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_WRONLY;
    folder.file("log", flags).context("open the log")
}

fn carry(from: &mut impl Read, folder: &Folder) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let mut log = open(folder)?;
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
        folder.rename("log", "log.1")?;
    }
}

/// Prints a log, or the end of it; with `follow` also what is added, until
/// its launcher has ended.
pub fn print(
    folder: &Folder,
    tail: Tail,
    follow: Option<&dyn Fn() -> bool>,
) -> Result<()> {
    // There is only a certain number of these, for all that a user does. So
    // none is taken where nothing is waited for.
    let events = follow.map(|_| watch(folder)).transpose()?;
    let open = |name| folder.file(name, OFlag::O_RDONLY);
    let mut begun = Vec::new();
    if let Ok(mut older) = open("log.1") {
        older.read_to_end(&mut begun)?;
    }
    let Ok(mut file) = open("log") else {
        bail!("it was not started with --detach, and so has no log");
    };
    file.read_to_end(&mut begun)?;
    let mut screen = io::stdout().lock();
    screen.write_all(tail.of(&begun))?;
    loop {
        // Asked before the last look, or its last words would be missed.
        let is_over = follow.is_none_or(|is_over| is_over());
        io::copy(&mut file, &mut screen)?;
        screen.flush()?;
        if is_over {
            return Ok(());
        }
        wait(events.as_ref())?;
        let was_renamed = folder.has("log.1") && !is_current(&file, folder);
        if was_renamed {
            io::copy(&mut file, &mut screen)?;
            file = open("log")?;
        }
    }
}

/// Watches the folder: a rename is a change of that.
fn watch(folder: &Folder) -> Result<Inotify> {
    let events = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
        .context("start inotify")?;
    let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVE;
    events.add_watch(folder.path(), changes).context("watch the log")?;
    Ok(events)
}

/// Waits for a change, or for half a second: the end of a container changes no
/// file that is watched here.
fn wait(events: Option<&Inotify>) -> Result<()> {
    let fd = events.map(|e| PollFd::new(e.as_fd(), PollFlags::POLLIN));
    let mut fds: Vec<PollFd<'_>> = fd.into_iter().collect();
    poll(&mut fds, PollTimeout::from(500u16)).context("wait for the log")?;
    let _ = events.map(Inotify::read_events);
    Ok(())
}

fn is_current(file: &File, folder: &Folder) -> bool {
    let inode = fstat(file).map(|found| found.st_ino);
    folder.look("log").map(|found| found.st_ino) == inode
}
