//! step05: a network of its own.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use step00::proc::Route;

use super::running::Running;
use super::{Attempt, Causes, outside};

const CAUSES: &Causes = &[
    (
        &["make the veth pair"],
        "the request does not say what a veth is made of: inside \
         VETH_INFO_PEER, a body (`raw`) comes before the name",
    ),
    (
        &["ENETUNREACH"],
        "`configure` adds the route before eth0 has its address, or the veth \
         is left down: the kernel knows no way to the gateway yet",
    ),
    (
        &["ENETDOWN"],
        "the veth is left down: `bring_up` comes before the route",
    ),
    (&["switch", "EEXIST"], "CREATE in `bring_up` asks for a new interface"),
    (
        &["eth0", "ENODEV"],
        "there is no eth0 inside: the peer is born where IFLA_NET_NS_PID says",
    ),
];

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
    let Some(running) = attempt.start(&alone, "", CAUSES)? else {
        return Ok(());
    };
    apart(attempt, &running)?;
    drop(running);
    let Some(running) = attempt.start(&[], "", CAUSES)? else { return Ok(()) };
    cable(attempt, &running)
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
    loopback(attempt, &inside)
}

fn loopback(attempt: &mut Attempt, inside: &[Interface]) -> Result<()> {
    attempt.found(
        "its loopback is on",
        inside.iter().any(|one| one.name == "lo" && one.is_on),
        "lo is off",
        "lo is on",
        "`bring_up_loopback` must switch lo on: it is born off, and then \
         not even 127.0.0.1 answers",
    )
}

/// Parts 2 and 3.
fn cable(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let inside = outside::within(running.pid, "net", interfaces)?;
    loopback(attempt, &inside)?;
    let names: Vec<&str> = inside.iter().map(|one| &*one.name).collect();
    let Some(eth0) = inside.iter().find(|one| one.name == "eth0") else {
        return attempt.found(
            "it has an eth0",
            false,
            names.join(" "),
            "lo eth0",
            "`plug_in`: IFLA_NET_NS_PID says where the peer is born",
        );
    };
    attempt.found(
        "its eth0 has an address",
        eth0.address.is_some(),
        "none",
        "one of 10.77.0.0/16",
        "`configure` must give it cable.inside",
    )?;
    attempt.found(
        "its eth0 is on",
        eth0.is_on,
        "off",
        "on",
        "the veth is left down: `bring_up` in `configure`, with IFF_UP",
    )?;
    let gateway = default_route(running.pid);
    let shown = |address: Option<Ipv4Addr>| {
        address.map_or("none".into(), |address| address.to_string())
    };
    let outer = interfaces()?.into_iter();
    let outer = outer.filter(|one| one.address.is_some());
    let machine = outer.into_iter().find(|one| one.address == gateway);
    attempt.found(
        "its way out is the machine's end of the cable",
        machine.is_some() && gateway != eth0.address,
        shown(gateway),
        "the address of an interface out here",
        "`configure`: RTA_GATEWAY is cable.outside, the machine's end",
    )?;
    attempt.found(
        "the machine's end is on as well",
        machine.is_none_or(|one| one.is_on),
        "off",
        "on",
        "`plug_in` has this at its end, as it was given",
    )
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
