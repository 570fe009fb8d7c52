//! The gate between the launcher and the new process: a pair of sockets.
//!
//! Some things can only be done from outside (writing the uid map, plugging in
//! a network cable), so the new process waits at the gate until the launcher
//! has done them. It waits a second time just before execve(2), so that the
//! launcher can look at a finished container.
//!
//! The other way, from inside to outside, come facts and descriptors, each
//! under a name, then the word "ready"; or the error at which the new process
//! stopped. End-of-file means that the other side is dead, or has executed its
//! program: the sockets are close-on-exec.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Error, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag,
    SockType, recvmsg, sendmsg, socketpair,
};
use nix::unistd;

use super::signals::is_for_command;
use crate::failure::Failure;

/// One side of the gate.
#[derive(Debug)]
pub struct Gate(OwnedFd);

/// What is received at the gate.
#[derive(Debug)]
pub(super) enum Message {
    /// Outside to inside: go on.
    Open,
    /// Inside to outside: something that only this process can read.
    Fact(String, String),
    /// Inside to outside: keep this descriptor, under this name.
    Descriptor(String, OwnedFd),
    /// Inside to outside: do your part now, I wait.
    Asks,
    /// Inside to outside: all is set up.
    Ready,
    /// Inside to outside: I stopped here.
    Failed(Failure),
    /// The other side is gone, or has executed its program.
    Closed,
}

/// Longest message: an error is cut at this many bytes.
const LONGEST: usize = 8192;

/// Makes both sides. SOCK_SEQPACKET keeps messages apart from each other.
pub(super) fn pair() -> Result<(Gate, Gate)> {
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
    /// Inside: gives the launcher a descriptor under a name (unix(7),
    /// SCM_RIGHTS). What it refers to stays alive for as long as the launcher
    /// keeps it, even when the mount namespace that it came from is gone.
    ///
    /// # Errors
    /// EPIPE when the launcher is dead.
    pub fn hand_over(
        &self,
        name: &str,
        descriptor: BorrowedFd<'_>,
    ) -> Result<()> {
        self.send(b'D', name.as_bytes(), &[descriptor.as_raw_fd()])
    }

    /// Inside: tells the launcher what only this process can read.
    pub(super) fn tell(&self, name: &str, value: &str) -> Result<()> {
        self.send(b'F', format!("{name}\0{value}").as_bytes(), &[])
    }

    /// Inside: has the launcher do something in the middle of the set-up, and
    /// waits until it has ([`Hooks::asked`](super::Hooks::asked)).
    ///
    /// # Errors
    /// EPIPE when the launcher is dead, as it is when it has failed.
    pub fn ask(&self) -> Result<()> {
        self.ask_meanwhile(|| Ok(()))
    }

    /// The same, where this process has a part in it that comes after the
    /// question: such as one after which it could ask no more.
    ///
    /// # Errors
    /// As above, and those of its own part.
    pub fn ask_meanwhile(
        &self,
        own_part: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.say(b'A')?;
        own_part()?;
        self.wait()
    }

    /// Inside: says that all is set up.
    pub(super) fn ready(&self) -> Result<()> {
        self.say(b'R')
    }

    /// Says a word of one letter. A process that filters its own system calls
    /// may have these two left, which every program needs: read and write.
    fn say(&self, kind: u8) -> Result<()> {
        unistd::write(&self.0, &[kind])
            .map(drop)
            .context("send through the gate")
    }

    /// Inside: waits until the launcher opens the gate.
    pub(super) fn wait(&self) -> Result<()> {
        self.wait_for(b'O')
    }

    /// Inside: waits until the launcher has done what it does meanwhile
    /// ([`Hooks::meanwhile`](super::Hooks::meanwhile)). To be called once,
    /// where it does anything.
    ///
    /// # Errors
    /// When the launcher is dead, as it is when it has failed.
    pub fn meet(&self) -> Result<()> {
        self.wait_for(b'M')
    }

    fn wait_for(&self, word: u8) -> Result<()> {
        let mut kind = [0];
        loop {
            match unistd::read(&self.0, &mut kind) {
                Ok(1) if kind == [word] => return Ok(()),
                // ECONNRESET: it died with our message unread.
                Ok(_) | Err(Errno::ECONNRESET) => {
                    bail!("the launcher is gone")
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("wait at the gate"),
            }
        }
    }

    /// Inside: sends the error at which it stopped. The launcher may be dead
    /// by now, and then the error is lost. Returns false if this side is
    /// closed, as an init closes it.
    pub(super) fn fail(&self, failure: &Failure) -> bool {
        let mut text = vec![failure.status];
        text.extend(failure.message.bytes().take(LONGEST - 2));
        let sent = self.send(b'E', &text, &[]);
        !sent.is_err_and(|e| e.downcast_ref() == Some(&Errno::EBADF))
    }

    /// Outside: lets the process go on. If it is dead, that is no error here:
    /// the next message says so, and may say why.
    pub(super) fn open(&self) -> Result<()> {
        self.let_on(b'O')
    }

    /// Outside: lets it go on where it waits in [`Gate::meet`].
    pub(super) fn come_to(&self) -> Result<()> {
        self.let_on(b'M')
    }

    fn let_on(&self, word: u8) -> Result<()> {
        self.send(word, b"", &[]).or_else(|error| match error.downcast_ref() {
            Some(Errno::EPIPE) => Ok(()),
            _ => Err(error),
        })
    }

    fn send(&self, kind: u8, text: &[u8], fds: &[RawFd]) -> Result<()> {
        let parts =
            [IoSlice::new(std::slice::from_ref(&kind)), IoSlice::new(text)];
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() { &[] } else { &rights[..] };
        let socket = self.0.as_raw_fd();
        // NOSIGNAL: a dead other side is an error, not a SIGPIPE.
        sendmsg::<()>(socket, &parts, rights, MsgFlags::MSG_NOSIGNAL, None)
            .map(drop)
            .context("send through the gate")
    }

    /// Waits for the next message.
    pub(super) fn receive(&self) -> Result<Message> {
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
                other => break other.context("receive at the gate")?,
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
        read(&buffer[..length], descriptor)
    }

    /// Waits for a message, and returns a failure as the error that it is.
    pub(super) fn receive_or_error(&self) -> Result<Message> {
        match self.receive()? {
            Message::Failed(failure) => Err(failure.into()),
            message => Ok(message),
        }
    }

    /// The same, but an interrupt ends the wait: Ctrl-C ends a set-up that
    /// hangs.
    pub(super) fn receive_unless_interrupted(
        &self,
        signals: &SignalFd,
    ) -> Result<Message> {
        let mut fds = [self.as_fd(), signals.as_fd()]
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("wait at the gate"),
            }
            if fds[0].any() == Some(true) {
                return self.receive_or_error();
            }
            let info = signals.read_signal()?;
            let signal = info.map_or(0, |info| info.ssi_signo);
            if is_for_command(signal as i32) {
                let message = "interrupted while the container was set up";
                let status = 128 + signal as u8;
                return Err(Failure { status, message: message.into() }.into());
            }
        }
    }

    /// The error that the process has sent before it ended, if it has sent
    /// one: then an error in the launcher is only its consequence.
    pub(super) fn last_words(&self) -> Option<Error> {
        loop {
            match self.receive_or_error() {
                Ok(Message::Closed) => return None,
                Ok(_) => {}
                Err(error) => return error.is::<Failure>().then_some(error),
            }
        }
    }
}

/// What these bytes mean: the first one is the kind of message.
fn read(bytes: &[u8], descriptor: Option<OwnedFd>) -> Result<Message> {
    let Some((kind, text)) = bytes.split_first() else {
        return Ok(Message::Closed);
    };
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(match (kind, descriptor) {
        (b'O', _) => Message::Open,
        (b'A', _) => Message::Asks,
        (b'R', _) => Message::Ready,
        (b'F', _) => {
            let text = text_of(text);
            let (name, value) = text.split_once('\0').unwrap_or_default();
            Message::Fact(name.into(), value.into())
        }
        (b'D', Some(descriptor)) => {
            Message::Descriptor(text_of(text), descriptor)
        }
        (b'E', _) => Message::Failed(Failure {
            status: text.first().copied().unwrap_or_default(),
            message: text_of(text.get(1..).unwrap_or_default()),
        }),
        (kind, _) => bail!("receive {kind:#x} at the gate: no such message"),
    })
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::thread;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::signal::{Signal, raise};
    use witness::within;

    use super::*;
    use crate::stage::signals;

    fn failure(status: u8, message: &str) -> Failure {
        Failure { status, message: message.into() }
    }

    #[test]
    fn each_message_arrives_as_what_it_is() {
        let (outside, inside) = pair().expect("a gate");
        outside.open().expect("open it");
        inside.wait().expect("it is open");
        inside.tell("label", "a value").expect("tell it");
        let file = File::open("/dev/null").expect("open a file");
        inside.hand_over("disk", file.as_fd()).expect("hand it over");
        inside.ready().expect("say so");
        assert!(inside.fail(&failure(126, "stopped\n  try: this")));
        let receive = || outside.receive().expect("a message");
        let fact = receive();
        assert!(
            matches!(&fact, Message::Fact(name, value)
                if name == "label" && value == "a value"),
            "{fact:?}"
        );
        let Message::Descriptor(name, descriptor) = receive() else {
            panic!("no descriptor")
        };
        let flags = fcntl(&descriptor, FcntlArg::F_GETFD);
        assert_eq!((&*name, flags), ("disk", Ok(libc::FD_CLOEXEC)));
        assert!(matches!(receive(), Message::Ready));
        let error = outside.receive_or_error().expect_err("the failure");
        let found = Failure::from_error(&error);
        assert_eq!(
            (found.status, &*found.message),
            (126, "stopped\n  try: this")
        );
    }

    #[test]
    fn what_is_done_meanwhile_is_not_taken_for_an_open_gate() {
        let (outside, inside) = pair().expect("a gate");
        outside.open().expect("open it");
        inside.wait().expect("it is open");
        outside.come_to().expect("say so");
        inside.meet().expect("it is done");
        // Who does not wait for it does not pass the next gate by it.
        outside.come_to().expect("say so");
        inside.wait().expect_err("that is not the gate");
        outside.open().expect("open it");
        inside.meet().expect_err("nor the other way round");
    }

    #[test]
    fn an_end_is_no_error_and_who_waits_hears_of_it() {
        let (outside, inside) = pair().expect("a gate");
        drop(inside);
        assert!(matches!(outside.receive(), Ok(Message::Closed)));
        outside.open().expect("the next message says that it is dead");
        // With a message of ours unread.
        let (outside, inside) = pair().expect("a gate");
        outside.open().expect("open it");
        drop(inside);
        assert!(matches!(outside.receive(), Ok(Message::Closed)));
        let (outside, inside) = pair().expect("a gate");
        drop(outside);
        let error = inside.wait().expect_err("nobody is there");
        assert!(error.to_string().contains("launcher is gone"), "{error:#}");
        assert!(inside.fail(&failure(1, "lost")), "its side is open");
        assert!(inside.ready().is_err(), "the control: EPIPE");
    }

    #[test]
    fn the_last_words_are_the_failure_if_there_is_one() {
        let (outside, inside) = pair().expect("a gate");
        inside.tell("label", "x").expect("tell it");
        inside.fail(&failure(127, &"x".repeat(3 * LONGEST)));
        drop(inside);
        let words = outside.last_words().expect("a failure");
        let words = Failure::from_error(&words);
        assert_eq!((words.status, words.message.len()), (127, LONGEST - 2));
        let (outside, inside) = pair().expect("a gate");
        inside.tell("label", "x").expect("tell it");
        drop(inside);
        assert!(outside.last_words().is_none(), "the control");
    }

    #[test]
    fn a_message_that_is_none_is_an_error() {
        assert!(matches!(read(b"", None), Ok(Message::Closed)));
        let error = read(b"?x", None).expect_err("no message");
        assert!(error.to_string().contains("0x3f"), "{error:#}");
        // A descriptor without one.
        assert!(read(b"Ddisk", None).is_err());
    }

    #[test]
    fn an_interrupt_ends_the_wait_and_another_size_does_not() {
        let (outside, inside) = pair().expect("a gate");
        let signals = signals::block(false).expect("block signals");
        let wait = || {
            within("a message", || {
                outside.receive_unless_interrupted(&signals)
            })
        };
        raise(Signal::SIGWINCH).expect("send it");
        let message = thread::scope(|scope| {
            scope.spawn(|| inside.ready().expect("say so"));
            wait()
        });
        assert!(matches!(message, Ok(Message::Ready)), "{message:?}");
        raise(Signal::SIGTERM).expect("send it");
        let error = wait().expect_err("interrupted");
        let error = Failure::from_error(&error);
        assert_eq!(error.status, 128 + 15);
        assert!(error.message.contains("interrupted"), "{}", error.message);
    }
}
