//! What the requests of this rung are made of: kinds, attributes and fixed
//! bodies, as rtnetlink(7) describes them; and one whole request.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

use crate::netlink::{ACK, CREATE, Netlink, Request};

/// Kinds of request: rtnetlink(7).
pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_NEWROUTE: u16 = 24;

/// Attributes, from <linux/if_link.h>, <linux/if_addr.h>, <linux/rtnetlink.h>.
pub(crate) const IFLA_IFNAME: u16 = 3;
pub(crate) const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_NET_NS_PID: u16 = 19;
pub(crate) const IFLA_INFO_KIND: u16 = 1;
pub(crate) const IFLA_INFO_DATA: u16 = 2;
pub(crate) const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
pub(crate) const RTA_GATEWAY: u16 = 5;

/// The address family of IPv4, as the bodies have it.
pub(crate) const INET: u8 = libc::AF_INET as u8;

/// Both networks of a cable share 30 bits, which leaves two addresses.
const PREFIX: u8 = 30;

/// Gives an interface an address.
pub(crate) fn give_address(
    route: &Netlink,
    name: &str,
    address: Ipv4Addr,
) -> Result<()> {
    let index = index_of(name)?.to_ne_bytes();
    // struct ifaddrmsg: family, prefix length, flags, scope, interface.
    let body = [&[INET, PREFIX, 0, 0][..], &index].concat();
    let request = Request::new(RTM_NEWADDR, ACK | CREATE, &body)
        .attribute(IFA_LOCAL, &address.octets())
        .attribute(IFA_ADDRESS, &address.octets());
    route
        .send(request)
        .with_context(|| format!("give {name} the address {address}"))
}

/// struct ifinfomsg: family, padding, device type, index, flags, and which of
/// the flags are meant.
pub(crate) fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    for number in [index, flags, flags] {
        body.extend(number.to_ne_bytes());
    }
    body
}

/// The number by which the kernel knows an interface: netdevice(7).
pub(crate) fn index_of(name: &str) -> Result<u32> {
    if_nametoindex(name).with_context(|| format!("find the interface {name}"))
}
