//! What is read back of step05: interfaces, addresses and the way out.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::unistd::geteuid;
use step00::{Line, Mark, Proc, Reader, Subject};

use crate::{forwarding, names, nat};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, read,
];

/// Reads interfaces, addresses and the way out in the process's own network
/// namespace: /proc/PID/net (proc_pid_net(5)).
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("net")? {
        return Ok(Vec::new());
    }
    let devices = process.read("net/dev")?;
    let devices = devices.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<&str> = devices.map(|(name, _)| name.trim()).collect();
    let mut text = names.join(", ");
    if let Some(address) = address_of(&process.read("net/fib_trie")?) {
        text += &format!(" with {address}");
    }
    let routes = process.routes()?;
    let default = routes.iter().find(|route| route.is_default());
    text += &match default {
        Some(route) => format!(", way out {}", route.gateway),
        None if geteuid().is_root() => ", no way out".into(),
        None => ", no way out (a cable takes the machine's root)".into(),
    };
    let mut lines = vec![Line::new(Mark::Blind, "network", text)];
    if default.is_some() {
        // Without root there is no cable, and nothing for the machine to
        // forward.
        let obstacles = match geteuid().is_root() {
            true => obstacles()?,
            false => Vec::new(),
        };
        if !obstacles.is_empty() {
            let text = obstacles.join("\n");
            lines.push(Line::new(Mark::Blind, "way out", text));
        }
        if !has_name_server(process) {
            let text = "no name server that can be reached: --dns ADDRESS";
            lines.push(Line::new(Mark::Blind, "names", text));
        }
    }
    let doors = doors()?;
    if !doors.is_empty() {
        let text = format!("reached at the machine's {}", doors.join(", "));
        lines.push(Line::new(Mark::Sees, "visitors", text));
    }
    Ok(lines)
}

/// Does its resolv.conf(5) name a server? (Nobody inside runs yet: the file is
/// the launcher's own, or what the user has put in its place.)
fn has_name_server(process: &Subject) -> bool {
    let path = process.path("root/etc/resolv.conf");
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    let text = is_file.then(|| fs::read_to_string(&path).ok()).flatten();
    text.is_none_or(|text| names::servers_in(&text).next().is_some())
}

/// The address that is not loopback's. Each leaf of the trie is a line
/// `|-- ADDRESS`, followed by what it is.
fn address_of(trie: &str) -> Option<&str> {
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    let is_own = |pair: &&[&str]| {
        pair[1].ends_with("host LOCAL") && !pair[0].contains(" 127.")
    };
    let leaf = lines.windows(2).find(is_own)?;
    leaf[0].strip_prefix("|-- ")
}

/// Where this launcher listens (proc_pid_net(5)): a socket of it is one that
/// it has open. (Who looks at somebody else's container listens nowhere.)
fn doors() -> Result<Vec<String>> {
    let own = Proc::own();
    let open = fs::read_dir(own.path("fd")).context("list our descriptors")?;
    let open: Vec<_> = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect();
    // A socket that accepts connections is LISTENing, one for datagrams that
    // is connected to nobody in state CLOSE.
    let mut doors = Vec::new();
    for (file, waits, protocol) in
        [("net/tcp", "0A", ""), ("net/udp", "07", "UDP ")]
    {
        let sockets = own.read(file)?;
        doors.extend(sockets.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state) = (fields.get(1)?, fields.get(3)?);
            let link = format!("socket:[{}]", fields.get(9)?);
            let is_ours = *state == waits && open.contains(&link.into());
            is_ours.then(|| door(local, protocol))?
        }));
    }
    doors.sort();
    Ok(doors)
}

/// `0100007F:1F90` is 127.0.0.1:8080: an address as the machine has its
/// numbers, and a port.
fn door(local: &str, protocol: &str) -> Option<String> {
    let (address, port) = local.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(match Ipv4Addr::from(address) {
        Ipv4Addr::UNSPECIFIED => {
            format!("{protocol}port {port} by every address")
        }
        address => format!("{protocol}{address}:{port}"),
    })
}

/// What stands in the way of the container's packets on this machine.
fn obstacles() -> Result<Vec<String>> {
    let chains = nat::dropping_chains().context("list the forward chains")?;
    let text = |chain| {
        format!("the machine's chain `{chain}` drops what it would forward")
    };
    let mut found: Vec<String> = chains.into_iter().map(text).collect();
    if forwarding::uplink()?.is_none() {
        found.push("the machine has no default route itself".into());
    }
    Ok(found)
}
