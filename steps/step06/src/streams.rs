//! stdin, stdout and stderr, where they are opened once more by their names.
//!
//! The three come along open, and who holds an open file may use it. But a
//! program that opens /dev/stdout (nginx does, for its logs) asks the kernel
//! anew, and that compares the file's owner and mode with a user who is nobody
//! outside: EACCES. What is done about it depends on what the stream is, since
//! nothing of the machine's may change that has a name:
//!
//! - a pipe without a name (pipe(2)) lets everybody open the end that came
//!   along. Nobody can who has it not: the only way to it is /proc/PID/fd of a
//!   process that holds it. So this need not be undone, and must not be, for
//!   another container may have the same pipe;
//! - for a file, or a pipe with a name (fifo(7)), the command gets a pipe of
//!   its own, and the launcher carries the bytes. It is a pipe then: what is
//!   written cannot be sought in;
//! - a terminal, a device, a socket stays as it is. A terminal of the
//!   container's own (step02) belongs to it anyway.
//!
//! Where the command's user may open it, nothing is done at all.

use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::pipe2;
use step00::stage::{HandedOver, Streams};
use step00::stat::{FileStat, fstat};
use step00::{Gate, Stage};

use crate::probe;

/// The filesystem of pipes that have no name: PIPEFS_MAGIC of <linux/magic.h>.
const PIPEFS_MAGIC: FsType = FsType(0x5049_5045);

/// The three, by the name under which each crosses the gate.
const NAMES: [&str; 3] = ["stdin", "stdout", "stderr"];

/// Sets the stage for a process whose user is another one outside.
pub fn set_stage(stage: &mut Stage<'_>) {
    probe::answer_if_asked();
    stage.hooks.before_ready.push(hand_over);
    stage.hooks.streams = take_over;
}

/// Inside, as the user who the command will be: hands over each stream that
/// this user may not open, or the launcher's end of a pipe in its place.
fn hand_over(gate: &Gate) -> Result<()> {
    let (input, output, errors) = (stdin(), stdout(), stderr());
    let all = [input.as_fd(), output.as_fd(), errors.as_fd()];
    // What each was before one of them is replaced.
    let was = [found(all[0])?, found(all[1])?, found(all[2])?];
    for (number, stream) in all.into_iter().enumerate() {
        let name = NAMES[number];
        if may_open(stream, number == 0) {
            continue;
        }
        let on = fstatfs(stream).with_context(|| format!("look at {name}"))?;
        if on.filesystem_type() == PIPEFS_MAGIC {
            gate.hand_over(&shared(name), stream)?;
        } else if number == 2 && was[1] == was[2] && is_carried(was[2], 2) {
            // 2>&1: in one pipe the words keep their order.
            put(all[1], number)?;
        } else if is_carried(was[number], number) {
            replace(gate, name, number)
                .with_context(|| format!("put a pipe in place of {name}"))?;
        }
    }
    Ok(())
}

/// The type of a file, which file it is, and how it was opened.
type Found = (u32, (u64, u64), i32);

fn found(stream: BorrowedFd<'_>) -> Result<Found> {
    let FileStat { st_mode, st_dev, st_ino, .. } =
        fstat(stream).context("look at stdin, stdout and stderr")?;
    let flags = fcntl(stream, FcntlArg::F_GETFL)
        .context("look how stdin, stdout and stderr are open")?;
    Ok((st_mode & libc::S_IFMT, (st_dev, st_ino), flags))
}

/// Only what is open for the direction that its number stands for: who writes
/// to `1<file` is to have the kernel's own answer.
fn is_carried((kind, _, flags): Found, number: usize) -> bool {
    let other = if number == 0 { libc::O_WRONLY } else { libc::O_RDONLY };
    [libc::S_IFREG, libc::S_IFIFO].contains(&kind)
        && flags & libc::O_ACCMODE != other
}

/// Would open(2) let this process have the same file once more? The kernel
/// answers for the descriptor itself: no path is walked, nothing is opened.
fn may_open(stream: BorrowedFd<'_>, to_read: bool) -> bool {
    let access = if to_read { libc::R_OK } else { libc::W_OK };
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    let (stream, empty) = (stream.as_raw_fd(), c"".as_ptr());
    // SAFETY: the empty string is a constant, the rest are numbers.
    let answer = unsafe {
        libc::syscall(libc::SYS_faccessat2, stream, empty, access, flags)
    };
    Errno::result(answer) != Err(Errno::EACCES)
}

/// Inside: the pipe is made by the user who is to open it, and so it is his.
fn replace(gate: &Gate, name: &str, number: usize) -> Result<()> {
    let (reader, writer) = match pipe2(OFlag::O_CLOEXEC) {
        // A limit (RLIMIT_NOFILE) that leaves no room for one: a command can
        // do without a second way to its stream.
        Err(Errno::EMFILE) => return Ok(()),
        pipe => pipe?,
    };
    match number {
        0 => {
            gate.hand_over("stdin", writer.as_fd())?;
            gate.hand_over(UNREAD, reader.as_fd())?;
            put(reader.as_fd(), number)
        }
        _ => {
            gate.hand_over(name, reader.as_fd())?;
            put(writer.as_fd(), number)
        }
    }
}

fn put(descriptor: BorrowedFd<'_>, number: usize) -> Result<()> {
    // SAFETY: both are plain descriptor numbers.
    let answer =
        unsafe { libc::dup2(descriptor.as_raw_fd(), number as libc::c_int) };
    Errno::result(answer).map(drop).context("put it in place")
}

/// The name under which the command's own end of stdin comes.
const UNREAD: &str = "unread stdin";

fn shared(name: &str) -> String {
    format!("shared {name}")
}

/// Outside: lets all open the pipes that have no name, and carries the rest.
fn take_over(handed_over: &mut HandedOver) -> Result<Streams> {
    for name in NAMES {
        if let Some(pipe) = handed_over.remove(&shared(name)) {
            let_all_open(&pipe)
                .with_context(|| format!("share the pipe that is {name}"))?;
        }
    }
    let mut streams = Streams::default();
    let mut take = |name: &str| handed_over.remove(name);
    if let Some((pipe, unread)) = take("stdin").zip(take(UNREAD)) {
        streams.carry_in(pipe, unread)?;
    }
    if let Some(pipe) = take("stdout") {
        streams.carry_out("stdout", pipe, stdout())?;
    }
    if let Some(pipe) = take("stderr") {
        streams.carry_out("stderr", pipe, stderr())?;
    }
    Ok(streams)
}

/// By its name the pipe can be opened for what the descriptor is open for, and
/// for nothing else: who was given the end to write to shall not read what
/// others write.
fn let_all_open(pipe: &OwnedFd) -> Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    let wanted = match flags & OFlag::O_ACCMODE {
        OFlag::O_RDONLY => 0o444,
        OFlag::O_WRONLY => 0o222,
        _ => 0o666,
    };
    let mode = Mode::from_bits_truncate(fstat(pipe)?.st_mode | wanted);
    match fchmod(pipe, mode) {
        // Another user's (`sudo -u`), and this launcher is not root: it could
        // not open it either.
        Err(Errno::EPERM) => Ok(()),
        answer => Ok(answer?),
    }
}
