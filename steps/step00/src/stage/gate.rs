//! The gate between the launcher and the new process: a pair of sockets.
//!
//! Some things can only be done from outside (writing the uid map, plugging in
//! a network cable), so the new process waits at the gate until the launcher
//! has done them. It waits a second time just before execve(2), so that the
//! launcher can look at a finished container.
//!
//! The other way, from inside to outside, come descriptors, the word "ready",
//! or the error at which the new process stopped. End-of-file means the other
//! side is dead, or has executed its program: the sockets are close-on-exec.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag,
    SockType, recvmsg, sendmsg, socketpair,
};

use crate::failure::Failure;

/// One side of the gate.
#[derive(Debug)]
pub struct Gate(OwnedFd);

/// What can be heard at the gate.
#[derive(Debug)]
pub(crate) enum Message {
    /// Outside to inside: go on.
    Open,
    /// Inside to outside: all is set up; this is what only I can read.
    Ready { hostname: String, label: String },
    /// Inside to outside: keep this descriptor.
    Descriptor(OwnedFd),
    /// Inside to outside: I stopped here.
    Failed(Failure),
    /// The other side is gone, or has executed its program.
    Closed,
}

/// Longest message: an error is cut at this many bytes.
const LONGEST: usize = 8192;

/// Makes both sides. SOCK_SEQPACKET keeps messages apart from each other.
pub(crate) fn pair() -> Result<(Gate, Gate)> {
    let (outside, inside) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .context("make the gate, a pair of sockets")?;
    Ok((Gate(outside), Gate(inside)))
}

impl Gate {
    /// Gives the other side a descriptor (unix(7), SCM_RIGHTS). What it refers
    /// to stays alive for as long as the other side keeps it, even when its
    /// mount namespace is gone.
    pub fn hand_over(&self, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.send(b'D', b"", &[descriptor.as_raw_fd()])
    }

    /// Inside: waits until the other side opens the gate.
    pub(crate) fn wait(&self) -> Result<()> {
        match self.hear()? {
            Message::Open => Ok(()),
            _ => bail!("the launcher is gone"),
        }
    }

    /// Outside: lets the process go on. That it is dead is no error here: what
    /// is heard next says so, and may say why.
    pub(crate) fn open(&self) -> Result<()> {
        self.send(b'O', b"", &[]).or_else(|error| match error.downcast_ref() {
            Some(Errno::EPIPE) => Ok(()),
            _ => Err(error),
        })
    }

    /// Inside: says that all is set up, and what nobody else can read.
    pub(crate) fn ready(&self, hostname: &str, label: &str) -> Result<()> {
        self.send(b'R', format!("{hostname}\0{label}").as_bytes(), &[])
    }

    /// Inside: says at what it stopped. The launcher may be dead by now, in
    /// which case nobody wants to know. Returns false if this side is closed,
    /// as an init closes it.
    pub(crate) fn fail(&self, failure: &Failure) -> bool {
        let mut text = vec![failure.status];
        text.extend(failure.message.bytes().take(LONGEST - 2));
        let sent = self.send(b'E', &text, &[]);
        !sent.is_err_and(|e| e.downcast_ref() == Some(&Errno::EBADF))
    }

    fn send(&self, kind: u8, text: &[u8], fds: &[RawFd]) -> Result<()> {
        let parts =
            [IoSlice::new(std::slice::from_ref(&kind)), IoSlice::new(text)];
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() { &[] } else { &rights[..] };
        let socket = self.0.as_raw_fd();
        // NOSIGNAL: a dead other side is an error, not a SIGPIPE.
        sendmsg::<()>(socket, &parts, rights, MsgFlags::MSG_NOSIGNAL, None)
            .map(|_| ())
            .context("speak through the gate")
    }

    /// Waits for the next message.
    pub(crate) fn hear(&self) -> Result<Message> {
        let mut buffer = vec![0; LONGEST];
        let mut rights = nix::cmsg_space!([RawFd; 1]);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = loop {
            let socket = self.0.as_raw_fd();
            match recvmsg::<()>(socket, &mut parts, Some(&mut rights), flags) {
                Err(Errno::EINTR) => continue,
                // The other side died with our message unread.
                Err(Errno::ECONNRESET) => return Ok(Message::Closed),
                other => break other.context("listen at the gate")?,
            }
        };
        let length = message.bytes;
        let descriptor = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        // SAFETY: the kernel has just made this descriptor for us, and this
        // is the one place that takes it.
        let descriptor =
            descriptor.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let text = |from: usize| {
            String::from_utf8_lossy(&buffer[from..length]).into_owned()
        };
        Ok(match (buffer[0], descriptor) {
            _ if length == 0 => Message::Closed,
            (b'O', _) => Message::Open,
            (b'R', _) => {
                let text = text(1);
                let (hostname, label) =
                    text.split_once('\0').unwrap_or_default();
                Message::Ready {
                    hostname: hostname.into(),
                    label: label.into(),
                }
            }
            (b'D', Some(descriptor)) => Message::Descriptor(descriptor),
            (b'E', _) => Message::Failed(Failure {
                status: buffer[1],
                message: text(2),
            }),
            (kind, _) => bail!("hear {kind:#x} at the gate: no such message"),
        })
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
