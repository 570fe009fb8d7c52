//! The primitive of step05: a network of one's own.
//!
//! A new network namespace has one interface, `lo`, and even that is down
//! (network_namespaces(7)). To be reached it needs a cable: a `veth` is a pair
//! of interfaces, and what goes in at one comes out at the other. One end stays
//! with the machine, its `peer` is born inside.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockProtocol;
use nix::unistd::Pid;

use crate::netlink::{ACK, CREATE, Netlink, Request};

/// Kinds of request: rtnetlink(7).
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;

/// Attributes, from <linux/if_link.h>, <linux/if_addr.h>, <linux/rtnetlink.h>.
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_GATEWAY: u16 = 5;

/// Both networks of a cable share 30 bits, which leaves two addresses.
const PREFIX: u8 = 30;

/// The cable between the machine and a container.
#[derive(Debug, Clone)]
pub struct Cable {
    /// The name of the machine's end.
    pub name: String,
    /// The address of the machine's end, and the way out for the container.
    pub outside: Ipv4Addr,
    /// The address of the container's end, `eth0`.
    pub inside: Ipv4Addr,
}

/// Inside: switches on the loopback interface. It has 127.0.0.1 by itself.
pub fn bring_up_loopback() -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    bring_up(&route, "lo")
}

/// Outside: makes the cable and configures the machine's end.
///
/// The peer is made *in* the network namespace of `pid`, not made here and
/// moved there: that is nearly a hundred times as fast, and its name can not
/// collide with the machine's own `eth0`. When that namespace ends, the peer
/// ends, and a veth never outlives its peer.
pub fn plug_in(cable: &Cable, pid: Pid) -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    let veth = Request::new(RTM_NEWLINK, ACK | CREATE, &link(0, 0))
        .text(IFLA_IFNAME, &cable.name)
        .nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |data| {
                data.nested(VETH_INFO_PEER, |peer| {
                    peer.raw(&link(0, 0)).text(IFLA_IFNAME, "eth0").attribute(
                        IFLA_NET_NS_PID,
                        &pid.as_raw().to_ne_bytes(),
                    )
                })
            })
        });
    route
        .send(veth)
        .with_context(|| format!("make the veth pair {}, eth0", cable.name))?;
    give_address(&route, &cable.name, cable.outside)?;
    bring_up(&route, &cable.name)
}

/// Inside: configures the container's end, and makes the machine's end the
/// way to everywhere else.
pub fn configure(cable: &Cable) -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    give_address(&route, "eth0", cable.inside)?;
    bring_up(&route, "eth0")?;

    // struct rtmsg: a unicast route to 0.0.0.0/0 in the main table, set up by
    // an administrator, of global scope.
    let (main, static_, universe, unicast) = (254, 4, 0, 1);
    let body = [INET, 0, 0, 0, main, static_, universe, unicast, 0, 0, 0, 0];
    let way_out = Request::new(RTM_NEWROUTE, ACK | CREATE, &body)
        .attribute(RTA_GATEWAY, &cable.outside.octets());
    route
        .send(way_out)
        .with_context(|| format!("route everything via {}", cable.outside))
}

fn bring_up(route: &Netlink, name: &str) -> Result<()> {
    let index = index_of(name)?;
    let up = libc::IFF_UP as u32;
    route
        .send(Request::new(RTM_NEWLINK, ACK, &link(index, up)))
        .with_context(|| format!("switch {name} on"))
}

fn give_address(route: &Netlink, name: &str, address: Ipv4Addr) -> Result<()> {
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

const INET: u8 = libc::AF_INET as u8;

/// struct ifinfomsg: family, padding, device type, index, flags, and which of
/// the flags are meant.
fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    for number in [index, flags, flags] {
        body.extend(number.to_ne_bytes());
    }
    body
}

fn index_of(name: &str) -> Result<u32> {
    if_nametoindex(name).with_context(|| format!("find the interface {name}"))
}
