//! The exercise of step12: the two halves of a start. About 20 lines are
//! yours.
//!
//! ```text
//! cargo workshop check 12                        look at it
//! cargo test -p step12 --features exercise       prove it
//! cargo workshop hint 12 make                    a hint
//! ```
//!
//! To try it by hand, take the commands of the chapter, with `--features
//! exercise` behind `-p step12`.
//!
//! An engine asks for a container with two commands: `create` makes the
//! process, with everything put on, and ends; `start`, another process, lets
//! it go on to execve(2). Between the two it waits at a gate. The gate is a
//! FIFO (fifo(7)): a pipe that has a name. It lies in the folder of the
//! container, and so whoever knows the folder finds it.
//!
//! ```text
//! create   make ── the new process inherits the gate ── wait
//! state    look: does somebody wait behind it?                 ▲ a byte
//! start    look, open ─────────────────────────────────────────┘
//! ```
//!
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `gate.rs`.

#![allow(unused, reason = "until it is written")]

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
    // 1. `mkfifoat` makes a FIFO: give it the folder's descriptor
    //    (`folder.as_fd()`), NAME, and a Mode that lets its owner read and
    //    write, and nobody else.
    //
    // 2. `openat` opens it, with the flags that are named above. Usual
    //    mistake: no O_CLOEXEC. The container's program would inherit it, and
    //    whoever waits for its end would wait for ever.
    //
    // 3. A File is made of the descriptor by `File::from`.
    step00::unwritten("make", file!())
}

/// The new process: waits until somebody opens the gate, that is, until there
/// is a byte to be read.
///
/// # Errors
/// None that is to be expected: no signal has a handler here (EINTR).
pub fn wait(mut gate: &File) -> Result<()> {
    // One line. Reading an empty pipe waits; `read_exact` fills a buffer. How
    // long must the buffer be? Usual mistake: to take no notice of an error.
    // What would the process do then?
    step00::unwritten("wait", file!())
}

/// Takes hold of the outer side of the gate, if somebody waits behind it.
///
/// With O_NONBLOCK a FIFO can be opened for writing only while it is open for
/// reading elsewhere; otherwise the answer is ENXIO (fifo(7)). It is open
/// there until the process executes its program, or dies.
///
/// # Errors
/// EACCES when the folder is not ours.
pub fn look(folder: impl AsFd) -> Result<Option<File>> {
    // 1. `openat` again: for writing alone, without waiting, close-on-exec.
    //    Usual mistake: O_RDWR, which always succeeds. Then you have opened
    //    it for reading, and it is yourself that you find.
    //
    // 2. Three answers: a descriptor (somebody waits); ENXIO, or ENOENT where
    //    the folder is just being deleted (nobody does: `None`); any other
    //    errno is an error.
    step00::unwritten("look", file!())
}

/// `start`: opens the gate, and waits until the process is through.
///
/// The end of a pipe that is written to has POLLERR when nobody has it open
/// for reading any more (poll(2)): the process has executed its program, or is
/// dead.
///
/// # Errors
/// EPIPE when it has died in this moment.
pub fn open(mut gate: File) -> Result<()> {
    // 1. Write the byte that `wait` is waiting for.
    //
    // 2. `poll` with one PollFd and no time limit (PollTimeout::NONE) waits.
    //    For which events? POLLERR is always among them, so for none:
    //    PollFlags::empty(). Usual mistake: POLLOUT, which is there at once,
    //    for there is room in the pipe.
    //
    // 3. poll(2) may be interrupted by a signal: on EINTR once more. Any
    //    other error is yours to return.
    step00::unwritten("open", file!())
}
