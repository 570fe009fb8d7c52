//! Published ports: the launcher listens on the machine and carries the bytes.
//!
//! A rule in the kernel could do it faster, but a rule can be made for a port
//! that somebody listens on already, and it can outlive its maker. A listener
//! gives an error in the first case, and the kernel closes it in the second.

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use step00::Advice;

use crate::carry::Carrier;

/// `[ADDRESS:]HOST:INSIDE[/tcp]`: two TCP ports, and where on the machine the
/// first one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The address of the machine; 0.0.0.0 is every one.
    pub address: Ipv4Addr,
    /// The port of the machine.
    pub host: u16,
    /// The port inside.
    pub inside: u16,
}

/// Reads `[ADDRESS:]HOST:INSIDE[/tcp]`. Without an address it is every one.
pub fn parse(text: &str) -> Result<Ports, String> {
    let text = match text.rsplit_once('/') {
        None => text,
        Some((ports, protocol)) if protocol.eq_ignore_ascii_case("tcp") => {
            ports
        }
        // A listener accepts connections, and a datagram has none.
        Some(_) => {
            return Err("only TCP is carried: write HOST:INSIDE[/tcp]; to \
                        another protocol the machine reaches the container's \
                        own address, and --network host has the machine's \
                        ports"
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
            Ok(Ports { address, host, inside })
        }
        _ => Err("write two port numbers, HOST:INSIDE, and before them an \
                  IPv4 address of the machine if it is not to be every one"
            .into()),
    }
}

/// As Docker writes it: `0.0.0.0:8080->80/tcp`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ports { address, host, inside } = self;
        write!(f, "{address}:{host}->{inside}/tcp")
    }
}

/// A port of the machine that has been taken, and who is to answer.
#[derive(Debug)]
pub struct Published {
    listener: TcpListener,
    inside: u16,
}

/// Takes the machine's ports, before anything else is made.
///
/// # Errors
/// EADDRINUSE when somebody listens there, EACCES below 1024 without root,
/// EADDRNOTAVAIL when the machine has no such address.
pub fn listen(ports: &[Ports]) -> Result<Vec<Published>> {
    let listen = |&Ports { address, host, inside }: &Ports| {
        let listener = TcpListener::bind((address, host))
            .with_context(|| match address.is_unspecified() {
                true => format!("listen on the machine's port {host}"),
                false => format!("listen on port {host} of {address}"),
            })
            .advice("choose another; `ss -ltnp` shows who has it")?;
        listener.set_nonblocking(true).context("listen without waiting")?;
        Ok(Published { listener, inside })
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
        let listener =
            port.listener.try_clone().context("share a listener")?;
        Ok((listener, port.inside))
    };
    let doors = published.iter().map(share).collect::<Result<_>>()?;
    Carrier::start(doors, address).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_may_be_named_and_is_tcp() {
        for ports in ["8080:80", "127.0.0.1:8080:80"] {
            let plain = parse(ports).expect(ports);
            for tcp in ["tcp", "TCP"] {
                assert_eq!(parse(&format!("{ports}/{tcp}")), Ok(plain));
            }
            for other in ["udp", "sctp", "", "tcp/udp"] {
                let refused = parse(&format!("{ports}/{other}"));
                assert!(refused.is_err_and(|why| why.contains("only TCP")));
            }
        }
        assert_ne!(parse("8080:80"), parse("8080:81"), "the control");
    }

    #[test]
    fn they_are_written_as_docker_writes_them() {
        let shown = |text| parse(text).map(|ports| ports.to_string());
        assert_eq!(shown("8080:80"), Ok("0.0.0.0:8080->80/tcp".into()));
        assert_eq!(shown("127.0.0.1:1:2"), Ok("127.0.0.1:1->2/tcp".into()));
    }
}
