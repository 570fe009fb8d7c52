//! The primitive of step05: a network of one's own.
//!
//! A new network namespace has one interface, `lo`, and even that is down
//! (network_namespaces(7)). To be reached it needs a cable: a `veth` is a pair
//! of interfaces, and what goes in at one comes out at the other. One end stays
//! with the machine, its `peer` is born inside.

use anyhow::{Context, Result};
use nix::sys::socket::SockProtocol;
use nix::unistd::Pid;

use crate::address::Cable;
use crate::messages::{
    IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO,
    IFLA_NET_NS_PID, INET, RTA_GATEWAY, RTM_NEWLINK, RTM_NEWROUTE,
    VETH_INFO_PEER, give_address, index_of, link,
};
use crate::netlink::{ACK, CREATE, Netlink, Request};

// ANCHOR: loopback
/// Inside: switches on the loopback interface. It has 127.0.0.1 by itself.
pub fn bring_up_loopback() -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    bring_up(&route, "lo")
}
// ANCHOR_END: loopback

// ANCHOR: cable
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
// ANCHOR_END: cable

// ANCHOR: route
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
// ANCHOR_END: route

// ANCHOR: up
fn bring_up(route: &Netlink, name: &str) -> Result<()> {
    let index = index_of(name)?;
    let up = libc::IFF_UP as u32;
    route
        .send(Request::new(RTM_NEWLINK, ACK, &link(index, up)))
        .with_context(|| format!("switch {name} on"))
}
// ANCHOR_END: up
