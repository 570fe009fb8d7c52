//! The primitive of step12: the two halves of a start.
//!
//! Whoever starts a container for somebody else wants to do something between
//! its birth and its first instruction: plug in a cable, write down its
//! number. So there are two commands. `create` makes the process, with
//! everything put on, and ends. `start`, another process that shares nothing
//! with it but a folder, lets it go on to execve(2). Between the two the
//! container waits at a gate, and what holds it is a file.
//!
//! The file is a FIFO (fifo(7)): a pipe that has a name. Opening one waits for
//! somebody at the other end; reading an empty one waits for a byte. And the
//! kernel knows at any time who has it open, so there is no second place, such
//! as a word in a state file, that could be wrong about who waits.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifoat;

/// What the gate is called in the folder of its container.
const NAME: &str = "gate";

// ANCHOR: make
/// `create`: makes the gate in `folder`, and opens it for the new process,
/// which inherits the descriptor.
///
/// For reading *and* writing: with one of both open(2) would wait for
/// somebody at the other end, and a reader would see end-of-file as soon as
/// the last writer leaves (fifo(7), "Linux allows it"). Close-on-exec: the
/// kernel closes it at the moment at which execve(2) succeeds.
///
/// # Errors
/// EEXIST when there is one already.
pub fn make(folder: impl AsFd) -> Result<File> {
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    mkfifoat(folder.as_fd(), NAME, mode).context("make the gate, a FIFO")?;
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
    openat(folder.as_fd(), NAME, flags, Mode::empty())
        .map(File::from)
        .context("open the gate")
}
// ANCHOR_END: make

// ANCHOR: wait
/// The new process: waits until somebody opens the gate, that is, until there
/// is a byte to be read.
///
/// # Errors
/// None that is to be expected: no signal has a handler here (EINTR).
pub fn wait(mut gate: &File) -> Result<()> {
    gate.read_exact(&mut [0]).context("wait at the gate")
}
// ANCHOR_END: wait

// ANCHOR: look
/// Takes hold of the outer side of the gate, if somebody waits behind it.
///
/// With O_NONBLOCK a FIFO can be opened for writing only while it is open for
/// reading elsewhere; otherwise the answer is ENXIO (fifo(7)). It is open
/// there until the process executes its program, or dies.
///
/// # Errors
/// EACCES when the folder is not ours.
pub fn look(folder: impl AsFd) -> Result<Option<File>> {
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match openat(folder.as_fd(), NAME, flags, Mode::empty()) {
        Ok(gate) => Ok(Some(gate.into())),
        Err(Errno::ENXIO | Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno).context("look at the gate"),
    }
}
// ANCHOR_END: look

// ANCHOR: open
/// `start`: opens the gate, and waits until the process is through.
///
/// The end of a pipe that is written to has POLLERR when nobody has it open
/// for reading any more (poll(2)): the process has executed its program, or is
/// dead.
///
/// # Errors
/// EPIPE when it has died in this moment.
pub fn open(mut gate: File) -> Result<()> {
    gate.write_all(&[1]).context("open the gate")?;
    let mut fds = [PollFd::new(gate.as_fd(), PollFlags::empty())];
    while let Err(errno) = poll(&mut fds, PollTimeout::NONE) {
        if errno != Errno::EINTR {
            return Err(errno).context("wait until the process is through");
        }
    }
    Ok(())
}
// ANCHOR_END: open
