//! The exercise of step05: a network of one's own, in three parts. About 25
//! lines are yours.
//!
//! ```text
//! f="--features exercise"
//! cargo workshop check 5                              look at it
//! cargo run -p step05 $f -- --network none ip link    try part 1
//! cargo run -p step05 $f -- ip address                try parts 2 and 3
//! cargo test -p step05 $f                             prove it
//! cargo workshop hint 5 plug_in                       a hint
//! ```
//!
//! How to speak to the kernel's network code is given: read the first half of
//! `netlink.rs`. A `Request` has a kind, flags, a fixed body and attributes;
//! `Netlink::send` sends it and waits for the answer. What to put into one is
//! in rtnetlink(7), and as numbers in `messages.rs`. Replace each
//! `unwritten(…)` by a body of your own; the solution is in `network.rs`.

#![allow(unused, reason = "until it is written")]

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

// Part 1: none.

/// Inside: switches on the loopback interface. It has 127.0.0.1 by itself.
pub fn bring_up_loopback() -> Result<()> {
    // Open a `Netlink` socket to the part of the kernel that rtnetlink(7) is
    // about, and have `bring_up` (below) do it. It belongs to the network
    // namespace in which it was opened: this one.
    step00::unwritten("bring_up_loopback", file!())
}

fn bring_up(route: &Netlink, name: &str) -> Result<()> {
    // rtnetlink(7), RTM_NEWLINK: it makes an interface *or changes* one, and
    // which of the two the flags of the request decide. Usual mistake: CREATE,
    // which asks for a new one, and is answered with EEXIST. You do want an
    // answer, ACK: `send` waits for it, and without ACK for ever.
    //
    // The body is a struct ifinfomsg, and `link` (messages.rs) makes it of the
    // interface's index and its flags. Which of the flags in netdevice(7) is
    // it? libc has its name. The context of an error names the interface.
    step00::unwritten("bring_up", file!())
}

// Part 2: the cable.

/// Outside: makes the cable and configures the machine's end.
///
/// The peer is made *in* the network namespace of `pid`, not made here and
/// moved there: that is nearly a hundred times as fast, and its name can not
/// collide with the machine's own `eth0`. When that namespace ends, the peer
/// ends, and a veth never outlives its peer.
pub fn plug_in(cable: &Cable, pid: Pid) -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    // This time something is to be created, which has no index yet and no
    // flags: `link(0, 0)`. Its attributes lie inside each other, and so do the
    // closures of `Request::nested`:
    //
    //     IFLA_IFNAME              the name of the machine's end
    //     IFLA_LINKINFO            what sort of interface
    //         IFLA_INFO_KIND       "veth": veth(4)
    //         IFLA_INFO_DATA       what only this sort has
    //             VETH_INFO_PEER   the other end
    //                 (a body)     a struct ifinfomsg again: `raw`
    //                 IFLA_IFNAME  its name inside, "eth0"
    //                 IFLA_NET_NS_PID  in whose namespace it is to be born
    //
    // Usual mistake: to forget that inner body. Then the kernel takes the name
    // for it, finds no peer after it, and makes one of its own: veth0, out
    // here. It does not say so, and what is missing inside is eth0. Numbers
    // are in the machine's own byte order: `to_ne_bytes`.
    step00::unwritten("plug_in", file!());

    give_address(&route, &cable.name, cable.outside)?;
    bring_up(&route, &cable.name)
}

// Part 3: the way out.

/// Inside: configures the container's end, and makes the machine's end the
/// way to everywhere else.
pub fn configure(cable: &Cable) -> Result<()> {
    let route = Netlink::open(SockProtocol::NetlinkRoute)?;
    // 1. "eth0" needs its address (`give_address`, messages.rs), and is to be
    //    switched on. Usual mistake: to route first. The kernel answers
    //    ENETUNREACH, as long as it knows no way to the gateway itself.
    //
    // 2. rtnetlink(7), RTM_NEWROUTE. The body is a struct rtmsg, 12 bytes:
    //    family, length of the destination (0 bits of it: all there is) and of
    //    the source, type of service; then table, protocol, scope and type,
    //    which are RT_TABLE_MAIN (254), RTPROT_STATIC (4), RT_SCOPE_UNIVERSE
    //    (0) and RTN_UNICAST (1); and flags, four bytes of zero.
    //
    // 3. Its one attribute is RTA_GATEWAY: the machine's end of the cable, as
    //    the four bytes of an address.
    step00::unwritten("configure", file!())
}
