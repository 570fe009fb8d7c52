//! One thread that carries the bytes of all published ports.
//!
//! It lives in the launcher, outside of the container's limits. So what one
//! connection costs there is fixed, two descriptors and two small buffers, and
//! so is the number of connections: who knocks beside these waits in the
//! kernel's queue until one of them ends.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket,
};

use crate::datagrams::Datagrams;
use crate::publish::Door;

/// How many connections there are at once, of all ports together.
const MOST: usize = 400;
/// How much may be under way in each direction of one.
const BUFFER: usize = 16 * 1024;
/// How long a client has to hear the last words of a server that has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The thread. When this is dropped, what servers inside have said last is
/// still delivered.
#[derive(Debug)]
pub(crate) struct Carrier {
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Starts it: clients of each door are carried to the port at `address`
    /// that is named beside it. To be called after the container's
    /// process has been made: clone3 wants a single thread.
    ///
    /// # Errors
    /// EAGAIN where no thread can be had.
    pub(crate) fn start(
        doors: Vec<(Door, u16)>,
        address: Ipv4Addr,
    ) -> Result<Carrier> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let make = || EventFd::from_value_and_flags(0, flags);
        let stop = make().context("make an eventfd")?;
        let stopped = stop.as_fd().try_clone_to_owned();
        let stopped = stopped.context("duplicate the eventfd")?;
        let (mut listeners, mut datagrams) = (Vec::new(), Vec::new());
        for (door, port) in doors {
            let server = SocketAddrV4::new(address, port);
            match door {
                Door::Tcp(listener) => listeners.push((listener, server)),
                Door::Udp(door) => {
                    datagrams.push(Datagrams::new(door, server))
                }
            }
        }
        let run = move || {
            let _ = carry(&listeners, datagrams, stopped.as_fd());
        };
        let thread = thread::Builder::new()
            .name("ports".into())
            .spawn(run)
            .context("start a thread to carry the bytes of ports")?;
        Ok(Carrier { stop, thread: Some(thread) })
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A client and its server inside, and what is under way between them.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    is_connected: bool,
    there: Way,
    back: Way,
}

/// One direction.
#[derive(Default)]
struct Way {
    buffer: Vec<u8>,
    /// Has the one side nothing more to say?
    is_over: bool,
    /// And has the other been told so?
    is_told: bool,
}

fn carry(
    doors: &[(TcpListener, SocketAddrV4)],
    mut datagrams: Vec<Datagrams>,
    stopped: BorrowedFd<'_>,
) -> nix::Result<()> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut end: Option<Instant> = None;
    // Where no descriptor can be had, it is asked again after a while.
    let mut is_short = false;
    loop {
        let is_open = end.is_none() && !is_short && connections.len() < MOST;
        let mut fds = Vec::new();
        if end.is_none() {
            fds.push(PollFd::new(stopped, PollFlags::POLLIN));
        }
        for (door, _) in doors.iter().filter(|_| is_open) {
            fds.push(PollFd::new(door.as_fd(), PollFlags::POLLIN));
        }
        fds.extend(connections.iter().flat_map(Connection::watched));
        fds.extend(datagrams.iter().flat_map(Datagrams::watched));
        let timeout = match end {
            Some(end) if connections.is_empty() || end <= Instant::now() => {
                return Ok(());
            }
            Some(_) => PollTimeout::from(10u8),
            None if is_short => PollTimeout::from(10u8),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        if end.is_none() && fds[0].any() == Some(true) {
            end = Some(Instant::now() + LAST_WORDS);
            for connection in &connections {
                // What has arrived can still be read, and then comes the end.
                let _ = connection.server.shutdown(Shutdown::Read);
            }
        }
        connections.retain_mut(|connection| connection.go_on().is_ok());
        datagrams.iter_mut().for_each(Datagrams::carry);
        is_short = false;
        if is_open && end.is_none() {
            for (door, server) in doors {
                match let_in(door, *server) {
                    Ok(new) => connections.extend(new),
                    Err(_) => is_short = true,
                }
            }
        }
    }
}

/// The next client, if one is at the door.
fn let_in(
    door: &TcpListener,
    server: SocketAddrV4,
) -> io::Result<Option<Connection>> {
    let client = match door.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Ok(None);
        }
        // It has gone away again.
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            return Ok(None);
        }
        client => client?.0,
    };
    client.set_nonblocking(true)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = SockType::Stream;
    let socket = socket(AddressFamily::Inet, stream, flags, None)?;
    // Whoever is inside may leave this unanswered for as long as it likes.
    match connect(socket.as_raw_fd(), &SockaddrIn::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        // Refused: the client's end is closed, as by a machine that has no
        // such server.
        Err(_) => return Ok(None),
    }
    Ok(Some(Connection {
        client,
        server: socket.into(),
        is_connected: false,
        there: Way::default(),
        back: Way::default(),
    }))
}

impl Connection {
    /// What is to be waited for. A side of which nothing is wanted is left
    /// out: that it has hung up would be told again and again.
    fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let flag = |is_wanted, flag| match is_wanted {
            true => flag,
            false => PollFlags::empty(),
        };
        let (input, output) = (PollFlags::POLLIN, PollFlags::POLLOUT);
        let client = flag(self.is_connected && self.there.has_room(), input)
            | flag(!self.back.buffer.is_empty(), output);
        let server = flag(self.back.has_room(), input)
            | flag(!self.there.buffer.is_empty(), output);
        let server = match self.is_connected {
            true => server,
            false => output,
        };
        [(self.client.as_fd(), client), (self.server.as_fd(), server)]
            .into_iter()
            .filter(|(_, flags)| !flags.is_empty())
            .map(|(fd, flags)| PollFd::new(fd, flags))
    }

    /// Carries what can be carried now. An error is the end of both.
    fn go_on(&mut self) -> io::Result<()> {
        if !self.is_connected {
            if let Some(error) = self.server.take_error()? {
                return Err(error);
            }
            // Connected it is when it has somebody at its other end.
            match self.server.peer_addr() {
                Ok(_) => self.is_connected = true,
                Err(_) => return Ok(()),
            }
        }
        self.there.carry(&self.client, &self.server)?;
        self.back.carry(&self.server, &self.client)?;
        match self.there.is_told && self.back.is_told {
            true => Err(io::ErrorKind::NotConnected.into()),
            false => Ok(()),
        }
    }
}

impl Way {
    fn has_room(&self) -> bool {
        self.buffer.is_empty() && !self.is_over
    }

    fn carry(
        &mut self,
        mut from: &TcpStream,
        mut to: &TcpStream,
    ) -> io::Result<()> {
        if self.has_room() {
            let mut buffer = [0; BUFFER];
            match from.read(&mut buffer) {
                Ok(0) => self.is_over = true,
                Ok(length) => self.buffer.extend(&buffer[..length]),
                Err(error) if is_for_later(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if !self.buffer.is_empty() {
            match to.write(&self.buffer) {
                Ok(length) => drop(self.buffer.drain(..length)),
                Err(error) if is_for_later(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if self.is_over && self.buffer.is_empty() && !self.is_told {
            // The one side has nothing more to say; the other may still
            // answer.
            let _ = to.shutdown(Shutdown::Write);
            self.is_told = true;
        }
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    [WouldBlock, Interrupted].contains(&error.kind())
}
