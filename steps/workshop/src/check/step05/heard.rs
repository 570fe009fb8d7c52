//! What the kernel tells of interfaces while a rung runs: those that come, are
//! switched on and get addresses. They may be gone again when it has failed.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::net::if_::if_nameindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType,
    bind, recv, socket,
};
use step05::netlink::attributes;

/// Kinds of message: rtnetlink(7).
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
/// Attributes: <linux/if_link.h>, <linux/if_addr.h>.
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// An interface that has come in this network namespace.
#[derive(Debug, Default)]
pub struct Link {
    index: u32,
    pub name: String,
    /// `veth`, `bridge` …
    pub kind: String,
    /// Was it ever?
    pub is_on: bool,
    pub address: Option<Ipv4Addr>,
}

/// A socket to which the kernel sends what changes. The messages wait in it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The interfaces that were here before.
    known: Vec<u32>,
}

impl Listener {
    /// Listens from now on, in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel has no such socket.
    pub fn new() -> Result<Listener> {
        let (family, part) =
            (AddressFamily::Netlink, SockProtocol::NetlinkRoute);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, SockType::Raw, flags, part)
            .context("open a netlink socket")?;
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR;
        let address = NetlinkAddr::new(0, groups as u32);
        bind(socket.as_raw_fd(), &address).context("listen to the kernel")?;
        let known = if_nameindex().context("list the interfaces")?;
        let known = known.iter().map(|one| one.index()).collect();
        Ok(Listener { socket, known })
    }

    /// The interfaces that have come so far, those that went included.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        let mut buffer = vec![0; 32 * 1024];
        let read = |buffer: &mut [u8]| {
            recv(self.socket.as_raw_fd(), buffer, MsgFlags::empty())
        };
        loop {
            match read(&mut buffer) {
                Ok(length) => self.take(&buffer[..length], &mut links),
                // ENOBUFS: there were more than fit. Those that did, follow.
                Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(_) => return links,
            }
        }
    }

    /// Takes whole messages: a length, a kind, ten more bytes and a body.
    fn take(&self, mut bytes: &[u8], links: &mut Vec<Link>) {
        while let Some((header, _)) = bytes.split_first_chunk::<16>() {
            let length = number(&header[..4]) as usize;
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let Some(body) = bytes.get(16..length) else { return };
            match kind {
                RTM_NEWLINK => self.take_link(body, links),
                RTM_NEWADDR => take_address(body, links),
                _ => {}
            }
            let next = length.next_multiple_of(4).min(bytes.len());
            bytes = &bytes[next..];
        }
    }

    /// A struct ifinfomsg: the index is at 4, the flags are at 8.
    fn take_link(&self, body: &[u8], links: &mut Vec<Link>) {
        let (Some(fixed), Some(rest)) = (body.get(..16), body.get(16..))
        else {
            return;
        };
        let index = number(&fixed[4..8]);
        if self.known.contains(&index) {
            return;
        }
        let at = links.iter().position(|link| link.index == index);
        let at = at.unwrap_or_else(|| {
            links.push(Link { index, ..Link::default() });
            links.len() - 1
        });
        let link = &mut links[at];
        link.is_on |= number(&fixed[8..12]) & libc::IFF_UP as u32 != 0;
        for (kind, value) in attributes(rest) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_LINKINFO => link.kind = kind_in(value),
                _ => {}
            }
        }
    }
}

/// A struct ifaddrmsg: the interface's index is at 4.
fn take_address(body: &[u8], links: &mut [Link]) {
    let Some(index) = body.get(4..8).map(number) else { return };
    let link = links.iter_mut().find(|link| link.index == index);
    let (Some(link), Some(rest)) = (link, body.get(8..)) else { return };
    let mut local = attributes(rest).into_iter();
    let local = local.find(|(kind, _)| *kind == IFA_LOCAL);
    let octets = local.and_then(|(_, value)| value.first_chunk::<4>());
    link.address = octets.map(|octets| Ipv4Addr::from(*octets));
}

/// What sort of interface, in the attributes of IFLA_LINKINFO.
fn kind_in(value: &[u8]) -> String {
    let mut inner = attributes(value).into_iter();
    let kind = inner.find(|(kind, _)| *kind == IFLA_INFO_KIND);
    kind.map(|(_, value)| text(value)).unwrap_or_default()
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}
