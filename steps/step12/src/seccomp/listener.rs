//! Hands the descriptor of SCMP_ACT_NOTIFY to the agent that answers for it.
//!
//! Only the filtered process gets that descriptor, and the calls by which it
//! could be sent on may be among those that now wait for the agent. So the
//! process says its number only, by one write(2); the launcher, which is not
//! filtered, takes a copy out of the process and sends it to `listenerPath`.
//! seccomp_unotify(2), pidfd_getfd(2); config-linux.md, "The Container Process
//! State".

use crate::config::seccomp::Seccomp;
use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Serialize;
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// A pipe, made before the process is, for one number.
#[derive(Debug)]
pub struct Handover {
    reader: File,
    writer: File,
}

impl Handover {
    /// Makes the pipe.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new() -> Result<Handover> {
        let (reader, writer) =
            nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
                .context("make a pipe for the seccomp descriptor")?;
        Ok(Handover { reader: reader.into(), writer: writer.into() })
    }

    /// The end through which the filtered process says it: the one descriptor
    /// of the launcher's that it has to keep.
    pub fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    /// In the filtered process: says which descriptor it is. It has to stay
    /// open until the launcher has taken it; execve(2) closes it.
    ///
    /// # Errors
    /// Whatever the filter answers to write(2).
    pub fn give(&self, descriptor: &OwnedFd) -> Result<()> {
        let number = descriptor.as_raw_fd().to_ne_bytes();
        (&self.writer)
            .write_all(&number)
            .context("hand over the seccomp descriptor")
    }

    /// In the launcher: waits for the number, and takes a copy out of the
    /// process behind `pidfd`.
    ///
    /// # Errors
    /// When the process has ended without a word; EPERM without the right to
    /// trace it (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS).
    pub fn take(&self, pidfd: impl AsFd) -> Result<OwnedFd> {
        let mut number = [0; size_of::<i32>()];
        // This process has the writing end too, so no end of file will tell
        // that the other one is gone; its pidfd does.
        let mut ready = [
            PollFd::new(self.reader.as_fd(), PollFlags::POLLIN),
            PollFd::new(pidfd.as_fd(), PollFlags::POLLIN),
        ];
        while let Err(errno) = poll(&mut ready, PollTimeout::NONE) {
            ensure!(errno == Errno::EINTR, "wait for the process: {errno}");
        }
        let has_number = ready[0].any().unwrap_or(false);
        ensure!(has_number, "the process ended before it was filtered");
        (&self.reader)
            .read_exact(&mut number)
            .context("read which is the seccomp descriptor")?;
        let number = i32::from_ne_bytes(number);
        // SAFETY: three numbers, and the first is a descriptor that is open.
        let copy = unsafe {
            libc::syscall(
                libc::SYS_pidfd_getfd,
                pidfd.as_fd().as_raw_fd(),
                number,
                0,
            )
        };
        let copy = Errno::result(copy)
            .context("take the seccomp descriptor out of the process")?;
        // SAFETY: it is new, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(copy as i32) })
    }
}

/// The container process state.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a, State> {
    oci_version: &'a str,
    fds: [&'static str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: &'a State,
}

/// Tells the agent at the profile's `listenerPath` of the process `pid`, as
/// this launcher sees it, and gives it `descriptor`: one connection for it.
///
/// `state` is the container's, as `state` prints it.
///
/// # Errors
/// ENOENT or ECONNREFUSED where no agent listens; ENAMETOOLONG for a path of
/// more than 107 bytes (unix(7)).
pub fn send(
    profile: &Seccomp,
    descriptor: &OwnedFd,
    oci_version: &str,
    pid: i32,
    state: &impl Serialize,
) -> Result<()> {
    let fds = ["seccompFd"];
    let metadata = &profile.listener_metadata;
    let text = ProcessState { oci_version, fds, pid, metadata, state };
    let text = serde_json::to_vec(&text).context("write the state")?;
    let path = &profile.listener_path;
    let agent = UnixStream::connect(path)
        .with_context(|| format!("connect to the seccomp agent at {path}"))?;
    let descriptors = [descriptor.as_raw_fd()];
    // With the first bytes go the descriptors; the rest may follow in parts.
    let sent = sendmsg::<()>(
        agent.as_raw_fd(),
        &[IoSlice::new(&text)],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .with_context(|| format!("send to the seccomp agent at {path}"))?;
    ensure!(sent > 0, "the seccomp agent at {path} takes nothing");
    (&agent)
        .write_all(&text[sent..])
        .with_context(|| format!("send to the seccomp agent at {path}"))
}
