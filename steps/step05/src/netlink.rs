//! Netlink: how programs talk to the kernel's network code (netlink(7)).
//!
//! A request is a header, a fixed body, and attributes: each a length, a kind
//! and bytes, padded to four. An attribute may hold attributes. That is all
//! there is to it; `ip` and `nft` send the very same bytes.

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType,
    recvfrom, sendto, socket,
};

/// Flags of a request, from <linux/netlink.h>.
pub const REQUEST: u16 = 0x01;
/// Answer, even if there is nothing to say but "done".
pub const ACK: u16 = 0x04;
/// Make it, and let it be an error if it is there already.
pub const CREATE: u16 = 0x400 | 0x200;
/// List everything.
pub const DUMP: u16 = 0x300;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The kernel's mark on a list that has changed while it was being read.
const DUMP_INTR: u16 = 0x10;
const HEADER: usize = 16;

/// One message to the kernel, in the making.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// Starts a request of this kind (`RTM_*`) with its fixed body.
    pub fn new(kind: u16, flags: u16, body: &[u8]) -> Request {
        let mut bytes = vec![0; 4]; // the length, known only at the end
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((REQUEST | flags).to_ne_bytes());
        bytes.extend([0; 8]); // sequence number, and the kernel as receiver
        bytes.extend(body);
        Request(bytes)
    }

    /// Adds an attribute.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        self.push(kind, value);
        self
    }

    /// Adds a string, which ends in a zero byte here.
    pub fn text(self, kind: u16, value: &str) -> Request {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds an attribute that holds attributes.
    pub fn nested(
        mut self,
        kind: u16,
        fill: impl FnOnce(Request) -> Request,
    ) -> Request {
        const NLA_F_NESTED: u16 = 0x8000;
        let inner = fill(Request(Vec::new())).0;
        self.push(kind | NLA_F_NESTED, &inner);
        self
    }

    /// Adds bytes as they are: the body that some nested attributes have.
    pub fn raw(mut self, bytes: &[u8]) -> Request {
        self.0.extend(bytes);
        self
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let length = 4 + value.len() as u16;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// The finished bytes, with length and sequence number filled in.
    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// A socket to one part of the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    /// The number of the last request: each answer has that of its question.
    sequence: Cell<u32>,
}

/// The port of the kernel. Every other one is a process, and any process may
/// send to this socket.
const KERNEL: u32 = 0;

impl Netlink {
    /// Opens it in the network namespace of the calling process, to which it
    /// belongs from then on.
    ///
    /// # Errors
    /// EPROTONOSUPPORT when the kernel was built without this part.
    pub fn open(part: SockProtocol) -> Result<Netlink> {
        let (family, flags) = (AddressFamily::Netlink, SockFlag::SOCK_CLOEXEC);
        let socket = socket(family, SockType::Raw, flags, part)
            .context("open a netlink socket")?;
        Ok(Netlink { socket, sequence: Cell::new(0) })
    }

    /// Sends one request and waits until the kernel says that it is done.
    ///
    /// # Errors
    /// What the kernel answers: EPERM without CAP_NET_ADMIN in the user
    /// namespace that owns the network namespace, EEXIST, ENODEV …
    pub fn send(&self, request: Request) -> Result<(), Errno> {
        self.ask([request]).map(drop)
    }

    /// Sends requests in one piece, and returns the bodies of all answers up
    /// to the one that says "done".
    ///
    /// # Errors
    /// What the kernel answers; EINTR when a list has changed while it was
    /// read, and may lack something; EBADMSG for what is no message.
    pub fn ask(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<Vec<Vec<u8>>, Errno> {
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        let finish = |request: Request| request.finish(sequence);
        let bytes: Vec<u8> = requests.into_iter().flat_map(finish).collect();
        let (kernel, none) = (NetlinkAddr::new(KERNEL, 0), MsgFlags::empty());
        sendto(self.socket.as_raw_fd(), &bytes, &kernel, none)?;
        let mut answers = Answers::to(sequence);
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let length = self.receive(&mut buffer)?;
            if answers.take(&buffer[..length])? {
                return Ok(answers.bodies);
            }
        }
    }

    /// Waits for the next message from the kernel.
    fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            let socket = self.socket.as_raw_fd();
            match recvfrom::<NetlinkAddr>(socket, buffer) {
                Ok((length, sender)) => {
                    if sender.is_some_and(|sender| sender.pid() == KERNEL) {
                        return Ok(length);
                    }
                }
                // A signal came first. The answer is still to come.
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// For who is to keep it open, too.
impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What has been answered to one question so far.
struct Answers {
    sequence: u32,
    is_whole: bool,
    bodies: Vec<Vec<u8>>,
}

impl Answers {
    fn to(sequence: u32) -> Answers {
        Answers { sequence, is_whole: true, bodies: Vec::new() }
    }

    /// Takes the messages in these bytes. Was the last one among them?
    fn take(&mut self, mut bytes: &[u8]) -> Result<bool, Errno> {
        while !bytes.is_empty() {
            let message = Message::read(bytes).ok_or(Errno::EBADMSG)?;
            bytes = message.rest;
            // The answer to an earlier request, which was not waited for.
            if message.sequence != self.sequence {
                continue;
            }
            self.is_whole &= message.flags & DUMP_INTR == 0;
            match message.kind {
                // An error number, negative; 0 means that all is well.
                NLMSG_ERROR | NLMSG_DONE => {
                    return match message.number().unwrap_or(0) {
                        0 if self.is_whole => Ok(true),
                        0 => Err(Errno::EINTR),
                        error => Err(Errno::from_raw(-error)),
                    };
                }
                _ => self.bodies.push(message.body.to_vec()),
            }
        }
        Ok(false)
    }
}

/// One message from the kernel, and the bytes that follow it.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
    rest: &'a [u8],
}

impl Message<'_> {
    /// None for bytes that end before the message does.
    fn read(bytes: &[u8]) -> Option<Message<'_>> {
        let number = |at| {
            Some(u16::from_ne_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
        };
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let rest = bytes.get(length.next_multiple_of(4)..);
        Some(Message {
            kind: number(4)?,
            flags: number(6)?,
            sequence: u32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?),
            body: bytes.get(HEADER..length)?,
            rest: rest.unwrap_or_default(),
        })
    }

    /// What the body begins with, if it is a number.
    fn number(&self) -> Option<i32> {
        self.body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
    }
}

/// The attributes in these bytes: kind and value.
pub fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 4 {
        let length = u16::from_ne_bytes([bytes[0], bytes[1]]) as usize;
        let kind = u16::from_ne_bytes([bytes[2], bytes[3]]) & 0x3fff;
        if !(4..=bytes.len()).contains(&length) {
            break;
        }
        found.push((kind, &bytes[4..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        Request::new(kind, 0, body).finish(7)
    }

    #[test]
    fn messages_follow_each_other_at_multiples_of_four() {
        let bytes = [message(9, b"hello"), message(NLMSG_DONE, &[0; 4])];
        assert_eq!(bytes[0].len(), HEADER + 5);
        let padded = [&bytes[0][..], &[0; 3], &bytes[1]].concat();
        let first = Message::read(&padded).expect("a first message");
        assert_eq!((first.kind, first.body), (9, &b"hello"[..]));
        let second = Message::read(first.rest).expect("a second");
        assert_eq!((second.kind, second.number()), (NLMSG_DONE, Some(0)));
        assert!(second.rest.is_empty());
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let whole = message(NLMSG_ERROR, &[0xff; 20]);
        assert!(Message::read(&whole).is_some());
        for length in 0..whole.len() {
            assert!(Message::read(&whole[..length]).is_none(), "{length}");
        }
        // A length that does not even cover the header.
        let mut short = whole;
        short[..4].copy_from_slice(&3u32.to_ne_bytes());
        assert!(Message::read(&short).is_none());
    }

    #[test]
    fn an_answer_has_the_number_of_its_question() {
        let error = (-libc::EPERM).to_ne_bytes();
        let stale = Request::new(NLMSG_ERROR, 0, &error).finish(6);
        let own = [message(9, b"body"), message(NLMSG_DONE, &[0; 4])].concat();
        let mut answers = Answers::to(7);
        assert_eq!(answers.take(&stale), Ok(false), "somebody else's EPERM");
        assert_eq!(answers.take(&own), Ok(true));
        assert_eq!(answers.bodies, [b"body"]);
        let mut answers = Answers::to(6);
        assert_eq!(answers.take(&stale), Err(Errno::EPERM), "the control");
    }

    #[test]
    fn attributes_end_where_the_bytes_do() {
        let bytes = Request(Vec::new()).text(1, "eth0").attribute(2, &[7]).0;
        let both = [(1, &b"eth0\0"[..]), (2, &[7][..])];
        assert_eq!(attributes(&bytes), both);
        assert_eq!(attributes(&bytes[..9]), both[..1]);
        assert_eq!(attributes(&bytes[..8]), []);
        assert_eq!(attributes(&[0; 8]), [], "a length of 0 goes nowhere");
    }
}
