//! Published ports: the launcher listens on the machine and carries the bytes.
//!
//! A rule in the kernel could do it faster, but a rule can be made for a port
//! that somebody listens on already, and it can outlive its maker. A listener
//! gives an error in the first case, and the kernel closes it in the second.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use step00::Advice;

use crate::carry::Carrier;

/// `[ADDRESS:]HOST:INSIDE`: two TCP ports, and where on the machine the first
/// one is.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    address: Ipv4Addr,
    host: u16,
    inside: u16,
}

/// Reads `[ADDRESS:]HOST:INSIDE`. Without an address it is every one.
pub fn parse(text: &str) -> Result<Ports, String> {
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
