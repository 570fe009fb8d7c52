//! Published ports: the launcher listens on the machine and carries the bytes.
//!
//! A rule in the kernel could do it faster, but a rule can be made for a port
//! that somebody listens on already, and it can outlive its maker. A listener
//! gives an error in the first case, and the kernel closes it in the second.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::{fmt, io};

use anyhow::{Context, Result};
use step00::Advice;

use crate::carry::Carrier;

/// `[ADDRESS:]HOST:INSIDE[/tcp|/udp]`: two ports, and where on the machine the
/// first one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The address of the machine; 0.0.0.0 is every one.
    pub address: Ipv4Addr,
    /// The port of the machine.
    pub host: u16,
    /// The port inside.
    pub inside: u16,
    /// What is carried between them.
    pub protocol: Protocol,
}

/// What is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// Reads `[ADDRESS:]HOST:INSIDE[/tcp|/udp]`. Without an address it is every
/// one, without a protocol TCP.
pub fn parse(text: &str) -> Result<Ports, String> {
    let (text, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let protocol = match &*protocol.to_ascii_lowercase() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => {
            return Err("only TCP and UDP are carried: write \
                        HOST:INSIDE[/tcp|/udp]; to another protocol the \
                        machine reaches the container's own address, and \
                        --network host has the machine's ports"
                .into());
        }
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (address, ports) = match parts[..] {
        [host, inside] => (Some(Ipv4Addr::UNSPECIFIED), [host, inside]),
        [address, host, inside] => (address.parse().ok(), [host, inside]),
        _ => (None, ["", ""]),
    };
    let [host, inside] =
        ports.map(|port| port.parse().ok().filter(|&port: &u16| port > 0));
    match (address, host, inside) {
        (Some(address), Some(host), Some(inside)) => {
            Ok(Ports { address, host, inside, protocol })
        }
        _ => Err("write two port numbers, HOST:INSIDE, and before them an \
                  IPv4 address of the machine if it is not to be every one"
            .into()),
    }
}

/// As Docker writes it: `0.0.0.0:8080->80/tcp`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ports { address, host, inside, protocol } = self;
        write!(f, "{address}:{host}->{inside}/{protocol}")
    }
}

/// A port of the machine that has been taken, and who is to answer.
#[derive(Debug)]
pub struct Published {
    door: Door,
    inside: u16,
}

/// The machine's end of it.
#[derive(Debug)]
pub(crate) enum Door {
    /// Where connections are accepted.
    Tcp(TcpListener),
    /// Where datagrams arrive.
    Udp(UdpSocket),
}

impl Door {
    fn open(ports: &Ports) -> io::Result<Door> {
        let address = (ports.address, ports.host);
        Ok(match ports.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Door::Tcp(listener)
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                Door::Udp(socket)
            }
        })
    }

    fn share(&self) -> io::Result<Door> {
        Ok(match self {
            Door::Tcp(listener) => Door::Tcp(listener.try_clone()?),
            Door::Udp(socket) => Door::Udp(socket.try_clone()?),
        })
    }
}

/// Takes the machine's ports, before anything else is made.
///
/// # Errors
/// EADDRINUSE when somebody listens there, EACCES below 1024 without root,
/// EADDRNOTAVAIL when the machine has no such address.
pub fn listen(ports: &[Ports]) -> Result<Vec<Published>> {
    let listen = |ports: &Ports| {
        let Ports { address, host, inside, protocol } = *ports;
        let port = match protocol {
            Protocol::Tcp => format!("port {host}"),
            Protocol::Udp => format!("UDP port {host}"),
        };
        let door = Door::open(ports)
            .with_context(|| match address.is_unspecified() {
                true => format!("listen on the machine's {port}"),
                false => format!("listen on {port} of {address}"),
            })
            .advice("choose another; `ss -lntup` shows who has it")?;
        Ok(Published { door, inside })
    };
    ports.iter().map(listen).collect()
}

/// Starts to carry, for as long as the result lives.
///
/// # Errors
/// EMFILE or EAGAIN where no descriptor or no thread can be had.
pub(crate) fn serve(
    published: &[Published],
    address: Ipv4Addr,
) -> Result<Option<Carrier>> {
    if published.is_empty() {
        return Ok(None);
    }
    let share = |port: &Published| {
        let door = port.door.share().context("share a published port")?;
        Ok((door, port.inside))
    };
    let doors = published.iter().map(share).collect::<Result<_>>()?;
    Carrier::start(doors, address).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_may_be_named() {
        for ports in ["8080:80", "127.0.0.1:8080:80"] {
            let plain = parse(ports).expect(ports);
            assert_eq!(plain.protocol, Protocol::Tcp);
            for tcp in ["tcp", "TCP"] {
                assert_eq!(parse(&format!("{ports}/{tcp}")), Ok(plain));
            }
            let udp = Ports { protocol: Protocol::Udp, ..plain };
            assert_eq!(parse(&format!("{ports}/udp")), Ok(udp));
            for other in ["sctp", "", "tcp/udp", "/udp"] {
                let refused = parse(&format!("{ports}/{other}"));
                assert!(refused.is_err(), "{ports}/{other}");
            }
        }
        assert_ne!(parse("8080:80"), parse("8080:81"), "the control");
    }

    #[test]
    fn they_are_written_as_docker_writes_them() {
        let shown = |text| parse(text).map(|ports| ports.to_string());
        assert_eq!(shown("8080:80"), Ok("0.0.0.0:8080->80/tcp".into()));
        assert_eq!(shown("127.0.0.1:1:2"), Ok("127.0.0.1:1->2/tcp".into()));
        assert_eq!(shown("1:2/UDP"), Ok("0.0.0.0:1->2/udp".into()));
    }
}
