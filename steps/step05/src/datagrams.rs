//! Published UDP ports: datagrams in place of connections.
//!
//! A datagram has no beginning and no end. So each client gets a socket of its
//! own towards the server inside, by which the answers find their way back; and
//! as nobody says when a client has finished, the one that has been silent for
//! longest makes room for the next.
//!
//! Not promised: where a port is published at every address, an answer leaves by
//! the address that the machine's routes choose for that client.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags};

/// How many clients of one port are remembered.
const MOST: usize = 64;
/// How many datagrams of one socket are carried before it is another's turn.
const TURN: usize = 32;
/// The largest datagram that IPv4 has room for.
const LARGEST: usize = 65_507;

/// A port of the machine, the server inside, and the clients of late.
pub(crate) struct Datagrams {
    door: UdpSocket,
    server: SocketAddrV4,
    /// The one that has spoken last comes last.
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

struct Client {
    address: SocketAddr,
    /// Connected to the server: it hears nobody else.
    socket: UdpSocket,
}

impl Datagrams {
    /// Nobody has come yet.
    pub(crate) fn new(door: UdpSocket, server: SocketAddrV4) -> Datagrams {
        let buffer = vec![0; LARGEST];
        Datagrams { door, server, clients: Vec::new(), buffer }
    }

    /// What is to be waited for.
    pub(crate) fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let clients = self.clients.iter().map(|client| &client.socket);
        std::iter::once(&self.door)
            .chain(clients)
            .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
    }

    /// Carries what there is. What cannot be delivered is lost, as datagrams
    /// are: to a port where nobody listens (ECONNREFUSED), into a full buffer
    /// (EAGAIN), or where no descriptor can be had (EMFILE).
    pub(crate) fn carry(&mut self) {
        for _ in 0..TURN {
            let Ok((length, address)) = self.door.recv_from(&mut self.buffer)
            else {
                break;
            };
            if self.know(address).is_ok() {
                if let Some(client) = self.clients.last() {
                    let _ = client.socket.send(&self.buffer[..length]);
                }
            }
        }
        for Client { address, socket } in &self.clients {
            for _ in 0..TURN {
                match socket.recv(&mut self.buffer) {
                    Ok(length) => {
                        let answer = &self.buffer[..length];
                        let _ = self.door.send_to(answer, address);
                    }
                    // An answer of the kernel's to what was sent before.
                    Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    }
                    Err(_) => break,
                }
            }
        }
    }

    /// Puts the client last, known before or not.
    fn know(&mut self, address: SocketAddr) -> io::Result<()> {
        let known = |client: &Client| client.address == address;
        let client = match self.clients.iter().position(known) {
            Some(at) => self.clients.remove(at),
            None => {
                if self.clients.len() == MOST {
                    self.clients.remove(0);
                }
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                socket.set_nonblocking(true)?;
                socket.connect(self.server)?;
                Client { address, socket }
            }
        };
        self.clients.push(client);
        Ok(())
    }
}
