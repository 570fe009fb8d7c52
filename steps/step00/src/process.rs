//! The primitive of step00: fork, exec, wait.
//!
//! This is how every program on a Linux machine has been started since the
//! first one, and a container is started in the same way. The rungs above only
//! pass other flags to [`fork`] and do some work before [`execute`].

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::unistd::{Pid, execve};

use crate::failure::{self, Failure};

/// A process that [`fork`] made.
#[derive(Debug)]
pub struct Process {
    /// Its number as the launcher's PID namespace counts.
    pub pid: Pid,
    /// A descriptor that means this process and no later one with the same
    /// number (pidfd_open(2)).
    pub pidfd: OwnedFd,
}

/// What to execute, and with which environment.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments, never empty.
    pub arguments: Vec<OsString>,
    /// The whole environment of the program.
    pub environment: Vec<(OsString, OsString)>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It called exit(2) with this status.
    Exited(u8),
    /// This signal killed it.
    Killed(i32),
}

impl Ending {
    /// The status by which a shell tells both apart: its own, or 128+N.
    pub fn status(self) -> u8 {
        match self {
            Ending::Exited(status) => status,
            Ending::Killed(signal) => 128 + signal as u8,
        }
    }
}

/// Makes a second process that goes on from this very line: clone3(2).
///
/// Returns `None` in the new process and `Some` in the old one. `flags` are
/// the `CLONE_NEW*` blindfolds it is born with: 0 means none. With a `cgroup`
/// (a descriptor of its folder) it is also *born* in that group, so there is
/// no moment at which it runs without its limits.
///
/// The caller must have one thread only: the new process gets a copy of the
/// memory, but not of the other threads, and a lock that one of them held
/// would stay locked for ever.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN for most flags, ENOSPC when a limit in
/// /proc/sys/user is reached, EAGAIN when pids.max of the cgroup is.
pub fn fork(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> nix::Result<Option<Process>> {
    // libc's own CLONE_INTO_CGROUP is an i32, in which this bit has no place.
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

    let mut pidfd: i32 = -1;
    // SAFETY: clone_args is plain integers, for which zero is a valid value
    // and means "not wanted".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }

    // SAFETY: no CLONE_VM, so the child has a copy of this memory and may go
    // on with the same stack. `args` and `pidfd` live until the call returns.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args))
    };
    match pid {
        -1 => Err(Errno::last()),
        0 => Ok(None),
        pid => Ok(Some(Process {
            pid: Pid::from_raw(pid as i32),
            // SAFETY: the call succeeded, so the kernel has put a new
            // descriptor here (close-on-exec) that nobody else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        })),
    }
}

/// Replaces the program in this process by another: execve(2).
///
/// The process stays the same one: its number, its parent, its namespaces,
/// its cgroup, its open descriptors (but for those marked close-on-exec).
///
/// A name without a slash is looked for in each folder of the *new*
/// environment's `PATH`, as a shell does.
///
/// # Errors
/// Returns only on failure: a [`Failure`] with status 127 when there is no
/// such program, 126 when there is one but the kernel will not run it.
pub fn execute(command: &Command) -> Result<Infallible> {
    let name = &command.arguments[0];
    let arguments = command.arguments.iter().map(|a| c_string(a.clone()));
    let arguments = arguments.collect::<Result<Vec<_>>>()?;
    let environment = command.environment.iter().map(|(key, value)| {
        let mut pair = key.clone();
        pair.push("=");
        pair.push(value);
        c_string(pair)
    });
    let environment = environment.collect::<Result<Vec<_>>>()?;

    let mut answer = Errno::ENOENT;
    let mut is_there = false;
    for path in command.candidates() {
        is_there |= std::fs::exists(&path).unwrap_or(false);
        let Err(errno) = execve(&c_string(path)?, &arguments, &environment);
        match errno {
            // A folder without this program: look in the next one.
            Errno::ENOENT | Errno::ENOTDIR => {}
            // Not for us; there may be another one. If not, say this.
            Errno::EACCES => answer = errno,
            // This is the program, and it does not work (execvp(3)).
            _ => {
                answer = errno;
                break;
            }
        }
    }
    Err(cannot_execute(&name.to_string_lossy(), answer, is_there))
}

/// ENOENT about a file that is there means the program that it needs itself:
/// the one after `#!`, or the dynamic loader ld.so(8).
fn cannot_execute(name: &str, answer: Errno, is_there: bool) -> Error {
    let why = match (answer, is_there) {
        (Errno::ENOENT, true) => {
            ": it is there, but not the interpreter or loader that it names"
        }
        _ => "",
    };
    let status = match answer {
        Errno::ENOENT => failure::NOT_FOUND,
        _ => failure::CANNOT_EXECUTE,
    };
    Failure { status, message: format!("execute {name}: {answer}{why}") }
        .into()
}

/// Waits until the process has ended, and takes its exit status from the
/// kernel, which keeps a dead process ("zombie") until somebody does.
///
/// # Errors
/// ECHILD when it is not a child of the caller, or was waited for already.
pub fn wait(process: &Process) -> Result<Ending> {
    let pidfd = process.pidfd.as_raw_fd() as libc::id_t;
    loop {
        match reap(libc::P_PIDFD, pidfd, 0) {
            Ok(Some((_, ending))) => return Ok(ending),
            Ok(None) | Err(Errno::EINTR) => continue,
            Err(errno) => {
                return Err(errno)
                    .context(format!("wait for process {}", process.pid));
            }
        }
    }
}

/// Takes the status of a child that has ended: waitid(2). `kind` and `id` say
/// which child; with WNOHANG in `flags`, `None` means that none has ended yet.
///
/// # Errors
/// ECHILD when there is no such child, EINTR when a signal came first.
pub fn reap(
    kind: libc::idtype_t,
    id: libc::id_t,
    flags: i32,
) -> nix::Result<Option<(Pid, Ending)>> {
    // SAFETY: a siginfo_t is plain integers, for which zero is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: waitid writes one siginfo_t. (nix's waitid takes the status and
    // then fails if it was a real-time signal, which it has no name for.)
    let answer =
        unsafe { libc::waitid(kind, id, &mut info, flags | libc::WEXITED) };
    Errno::result(answer)?;
    // SAFETY: waitid has filled in these two, or left them zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let ending = match info.si_code {
        libc::CLD_EXITED => Ending::Exited(status as u8),
        _ => Ending::Killed(status),
    };
    Ok((pid != 0).then(|| (Pid::from_raw(pid), ending)))
}

/// Who has sent a signal, as its si_code tells (sigaction(2)): the kernel
/// itself, as for Ctrl-C. libc has no name for it.
pub const SI_KERNEL: i32 = 0x80;

/// Sends a signal to exactly this process: pidfd_send_signal(2).
///
/// # Errors
/// ESRCH when it has ended, EPERM when it belongs to somebody else.
pub fn signal(process: &Process, signal: i32) -> io::Result<()> {
    let pidfd = process.pidfd.as_raw_fd();
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open as long as `process` lives; a null
    // siginfo asks the kernel to fill it in as kill(2) does.
    let answer = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, info, 0)
    };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Closes every descriptor but stdin, stdout, stderr and those in `kept`.
///
/// For a process that only waits from now on: what it holds open, stays alive
/// (a pipe's writer, a lock, a mount). No owner of what is closed may be used
/// or dropped afterwards.
pub fn close_all_but(kept: &[Option<RawFd>]) {
    let mut kept: Vec<u32> =
        kept.iter().flatten().map(|&fd| fd as u32).collect();
    kept.sort_unstable();
    kept.push(u32::MAX);
    let mut first = 3;
    for next in kept {
        if first < next {
            // SAFETY: close_range takes no pointer; see above for the owners.
            unsafe { libc::close_range(first, next - 1, 0) };
        }
        first = first.max(next.saturating_add(1));
    }
}

impl Command {
    /// Sets one variable of the environment, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.environment.retain(|(known, _)| known != key);
        self.environment.push((key.into(), value.into()));
    }

    /// The paths at which the program may be.
    fn candidates(&self) -> Vec<OsString> {
        let name = &self.arguments[0];
        // The empty name is no file's, but a folder plus nothing is a folder.
        if name.is_empty() || name.as_encoded_bytes().contains(&b'/') {
            return vec![name.clone()];
        }
        let path = self.environment.iter().find(|(key, _)| key == "PATH");
        // As execvp(3) does: no PATH at all is not the same as an empty one.
        let path =
            path.map_or("/bin:/usr/bin".into(), |(_, value)| value.clone());
        std::env::split_paths(&path)
            .map(|folder| folder.join(name).into_os_string())
            .collect()
    }
}

/// The kernel takes strings that end at the first zero byte.
fn c_string(text: OsString) -> Result<CString> {
    CString::new(text.into_vec()).context("an argument holds a zero byte")
}
