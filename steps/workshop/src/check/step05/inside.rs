//! What the process has of the network, and the machine's end beside it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use step00::proc::Route;

use crate::check::running::Running;
use crate::check::{Attempt, outside};

/// An interface: is it on, and with which address?
#[derive(Debug, Clone)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) is_on: bool,
    address: Option<Ipv4Addr>,
}

/// Parts 2 and 3.
pub(super) fn cable(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let inside = outside::within(running.pid, "net", interfaces)?;
    let names: Vec<&str> = inside.iter().map(|one| &*one.name).collect();
    let Some(eth0) = inside.iter().find(|one| one.name == "eth0") else {
        return attempt.found(
            "it has an eth0",
            false,
            names.join(" "),
            "lo eth0",
            "`plug_in`: within VETH_INFO_PEER, IFLA_IFNAME is eth0, and \
             IFLA_NET_NS_PID says where the peer is born: `pid`",
        );
    };
    let shown = |address: Option<Ipv4Addr>| {
        address.map_or("none".into(), |address| address.to_string())
    };
    let way_out = default_route(running.pid);
    let mut outer = interfaces()?.into_iter();
    let outer =
        outer.find(|one| one.name.starts_with("box") && one.address.is_some());
    let outer = outer.and_then(|one| one.address);
    let next = outer.map(|address| Ipv4Addr::from(u32::from(address) + 1));
    attempt.found(
        "its eth0 has an address",
        eth0.address.is_some() && eth0.address == next,
        shown(eth0.address),
        shown(next),
        "`configure` must give eth0 `cable.inside`",
    )?;
    attempt.found(
        "its eth0 is on",
        eth0.is_on,
        "off",
        "on",
        "`configure` must switch eth0 on: `bring_up`",
    )?;
    attempt.found(
        "its way out is the machine's end of the cable",
        way_out.is_some() && way_out == outer,
        shown(way_out),
        shown(outer),
        match way_out {
            None => {
                "`configure` has made no route to everywhere: the length of \
                 the destination is 0 bits, the table RT_TABLE_MAIN (254); \
                 and the request must be sent, and its error returned"
            }
            Some(_) => {
                "`configure`: RTA_GATEWAY is cable.outside, the machine's end"
            }
        },
    )?;
    let source = outside::within(running.pid, "net", || Ok(source()))?;
    attempt.found(
        "what goes elsewhere takes that way",
        source.as_ref().ok() == eth0.address.map(IpAddr::V4).as_ref(),
        match &source {
            Ok(source) => format!("it would come from {source}"),
            Err(error) => error.to_string(),
        },
        format!("it comes from {}", shown(eth0.address)),
        "`configure`: the type of the route is RTN_UNICAST (1), its scope \
         RT_SCOPE_UNIVERSE (0)",
    )
}

/// The address from which a packet for elsewhere would come. To connect a UDP
/// socket asks for the route and sends nothing: udp(7).
fn source() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // A network that belongs to nobody: RFC 5737.
    socket.connect("192.0.2.1:9")?;
    Ok(socket.local_addr()?.ip())
}

/// The gateway of its route to everywhere else.
fn default_route(pid: i32) -> Option<Ipv4Addr> {
    let routes = outside::proc(pid).routes().unwrap_or_default();
    let default = routes.into_iter().find(Route::is_default)?;
    Some(default.gateway)
}

/// The interfaces of the network namespace that this thread is in.
pub(super) fn interfaces() -> Result<Vec<Interface>> {
    let all = getifaddrs().context("list the interfaces")?;
    let mut found: Vec<Interface> = Vec::new();
    for one in all {
        let address = one.address.as_ref().and_then(|a| a.as_sockaddr_in());
        let address = address.map(nix::sys::socket::SockaddrIn::ip);
        let is_on = one.flags.contains(InterfaceFlags::IFF_UP);
        let known = found.iter_mut().find(|i| i.name == one.interface_name);
        match known {
            Some(known) => known.address = known.address.or(address),
            None => {
                let name = one.interface_name;
                found.push(Interface { name, is_on, address });
            }
        }
    }
    Ok(found)
}
