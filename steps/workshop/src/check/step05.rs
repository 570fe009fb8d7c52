//! step05: a network of its own.

mod blame;
mod heard;

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use step00::proc::Route;

use heard::{Link, Listener};

use super::report::Report;
use super::running::Running;
use super::{Attempt, outside};

/// It says that it has begun, and waits.
const WAIT: &str = "echo begun\ncat >/dev/null";

/// An interface: is it on, and with which address?
#[derive(Debug, Clone)]
struct Interface {
    name: String,
    is_on: bool,
    address: Option<Ipv4Addr>,
}

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let alone = ["--network", "none"];
    let what = "it starts with --network none";
    match Running::start(attempt.command(&alone, WAIT))? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            apart(attempt, &running)?;
        }
        Err(report) => {
            let likely = match report.unwritten() {
                Some(_) => report.likely(&[], ""),
                None => blame::without(&report, brings_up(attempt, &report)?),
            };
            let found = report.words();
            return attempt.found(what, false, found, "no error", &likely);
        }
    }
    let listener = Listener::new()?;
    let what = "it starts, and executes its command";
    match Running::start(attempt.command(&[], WAIT))? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            outer_end(attempt, &listener.links())?;
            cable(attempt, &running)
        }
        Err(report) => {
            let likely = blame::with_cable(&report, &listener.links());
            attempt.found(what, false, report.words(), "no error", &likely)
        }
    }
}

/// Does `bring_up` work out here, on the end of a cable? What is wrong inside
/// is then not in there. A hang is not tried again.
fn brings_up(attempt: &Attempt, report: &Report) -> Result<Option<bool>> {
    if report.status.is_none() {
        return Ok(None);
    }
    let listener = Listener::new()?;
    attempt.run(&[], "true")?;
    Ok(blame::is_brought_up(&listener.links()))
}

/// Part 1.
fn apart(attempt: &mut Attempt, running: &Running) -> Result<()> {
    attempt.found(
        "it is in a network namespace of its own",
        outside::is_apart(running.pid, "net"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWNET: was it changed?",
    )?;
    let inside = outside::within(running.pid, "net", interfaces)?;
    let is_on = inside.iter().any(|one| one.name == "lo" && one.is_on);
    let likely = match is_on {
        true => "",
        false => loopback_is_off(attempt)?,
    };
    attempt.found(
        "its loopback is on",
        is_on,
        "lo is off, and there was no error",
        "lo is on",
        likely,
    )
}

/// Which of the two functions has done nothing?
fn loopback_is_off(attempt: &Attempt) -> Result<&'static str> {
    let listener = Listener::new()?;
    attempt.run(&[], "true")?;
    Ok(match blame::is_brought_up(&listener.links()) {
        Some(true) => {
            "`bring_up_loopback` must switch lo on, by `bring_up` on a socket \
             of SockProtocol::NetlinkRoute: it is born off, and then not even \
             127.0.0.1 answers"
        }
        _ => {
            "`bring_up` changes nothing: the flag is IFF_UP, `link(index, \
             flags)` the body, and the request must be sent, and its error \
             returned. (Or `bring_up_loopback` does not call it)"
        }
    })
}

/// The machine's end, whose address and switching on were given.
fn outer_end(attempt: &mut Attempt, links: &[Link]) -> Result<()> {
    let likely = blame::cable(&blame::fine(), links);
    let mut names = links.iter().map(|link| {
        let state = if link.is_on { "on" } else { "off" };
        let address = link.address.map(|address| format!(" {address}"));
        format!("{}, {state}{}", link.name, address.unwrap_or_default())
    });
    attempt.found(
        "out here came one end of a cable, with an address, and it is on",
        likely.is_none(),
        names.by_ref().collect::<Vec<_>>().join("; "),
        "a veth, on, with the first address of the cable",
        &likely.unwrap_or_default(),
    )
}

/// Parts 2 and 3.
fn cable(attempt: &mut Attempt, running: &Running) -> Result<()> {
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
fn interfaces() -> Result<Vec<Interface>> {
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
