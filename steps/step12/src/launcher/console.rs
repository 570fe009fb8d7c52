//! The container's terminal, when the one who reads it is somebody else.
//!
//! A shim or conmon listens on a Unix socket and waits for one message: the
//! master of the pair that the container has made in its own devpts. From then
//! on the terminal is theirs; the runtime ends.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::setsid;
use step00::stage::{attach_whole, pair, pair_within};
use step00::stat::fstat;

use crate::config::{Process, Size};
use crate::flags::Caller;
use crate::mounts::{Root, bind_descriptor};

mod request {
    nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, libc::winsize);
}

/// Which terminal the process gets.
pub enum Console {
    /// None: it has the streams of whoever has called.
    None,
    /// One that the launcher relays (step02), since it stays.
    Ours,
    /// One whose master is sent through this socket.
    Sent(UnixStream, Cell<Option<OwnedFd>>),
}

impl Console {
    /// Takes hold of the socket, on the machine's side. `stays`: the launcher
    /// does not end before the process.
    ///
    /// # Errors
    /// ECONNREFUSED when nobody listens; and for a terminal that nobody would
    /// read.
    pub fn find(
        caller: &Caller,
        process: &Process,
        stays: bool,
    ) -> Result<Console> {
        match (process.terminal, &caller.console_socket) {
            (false, None) => Ok(Console::None),
            (true, None) if stays => Ok(Console::Ours),
            (true, None) => bail!(
                "cannot allocate tty if step12 will detach without setting \
                 console socket"
            ),
            (false, Some(_)) => bail!(
                "cannot use console socket if step12 will not detach or \
                 allocate tty"
            ),
            (true, Some(path)) => {
                let socket = UnixStream::connect(path);
                let socket = socket.with_context(|| {
                    format!("connect to the console socket {}", path.display())
                })?;
                Ok(Console::Sent(socket, Cell::default()))
            }
        }
    }

    /// Does the launcher relay it?
    pub fn is_ours(&self) -> bool {
        matches!(self, Console::Ours)
    }

    /// Inside, before the pivot: makes the pair out of the devpts of the new
    /// root, sends the master away, and shows the slave as /dev/console.
    ///
    /// # Errors
    /// ENOENT where no devpts is mounted.
    pub fn open(&self, root: &Root, size: Option<Size>) -> Result<()> {
        let Console::Sent(socket, slot) = self else { return Ok(()) };
        let (master, slave) = pair_within(root.folder())?;
        size.map_or(Ok(()), |size| resize(&master, size))?;
        send(socket, "/dev/ptmx", &master)
            .context("send the terminal to the console socket")?;
        bind_descriptor(root, &slave, "dev/console")?;
        slot.set(Some(slave));
        Ok(())
    }

    /// The same in a container that runs, whose /dev/console is taken.
    ///
    /// # Errors
    /// As above.
    pub fn open_here(&self, size: Option<Size>) -> Result<()> {
        let Console::Sent(socket, slot) = self else { return Ok(()) };
        let (master, slave) = pair()?;
        size.map_or(Ok(()), |size| resize(&master, size))?;
        send(socket, "/dev/ptmx", &master)
            .context("send the terminal to the console socket")?;
        slot.set(Some(slave));
        Ok(())
    }

    /// Inside: a session of the process's own, with the slave as its terminal;
    /// or without one, and then its user gets the pipes that it has. (Where
    /// the launcher relays, step00 does all that.)
    ///
    /// Engines end a container that takes too long by its process group, and
    /// that is not to be theirs.
    ///
    /// # Errors
    /// EPERM when this process leads a process group.
    pub fn attach(&self, uid: u32) -> Result<()> {
        match self {
            Console::Ours => Ok(()),
            Console::None => {
                give_streams(uid);
                setsid().map(drop).context("start a session")
            }
            Console::Sent(_, slot) => {
                let slave = slot.take().context("find the terminal")?;
                fchown(&slave, Some(uid), None)
                    .context("give the terminal to its user")?;
                attach_whole(slave.as_fd())
            }
        }
    }
}

/// Sends one descriptor, with a word on what it is (unix(7), SCM_RIGHTS).
///
/// # Errors
/// EPIPE when the other side is gone.
pub fn send(to: &UnixStream, word: &str, what: &impl AsFd) -> Result<()> {
    let parts = [IoSlice::new(word.as_bytes())];
    let descriptors = [what.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(to.as_raw_fd(), &parts, &rights, flags, None)?;
    Ok(())
}

fn resize(master: &OwnedFd, size: Size) -> Result<()> {
    let size = libc::winsize {
        ws_row: size.height,
        ws_col: size.width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCSWINSZ reads one winsize, and this is one.
    unsafe { request::set_size(master.as_raw_fd(), &size) }
        .map(drop)
        .context("set the size of the terminal")
}

/// Inside: gives the pipes that are stdin, stdout and stderr to the user, who
/// could not open /dev/stdout otherwise. What is no pipe may be somebody
/// else's as well: a file, a terminal, /dev/null.
fn give_streams(uid: u32) {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    for stream in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
        let is_pipe = fstat(stream)
            .is_ok_and(|it| it.st_mode & libc::S_IFMT == libc::S_IFIFO);
        if is_pipe {
            // Who may not give it away (EPERM in a user namespace that does
            // not have its owner) lets the user do without.
            let _ = fchown(stream, Some(uid), None);
        }
    }
}
