//! What is read back of step05: interfaces, addresses and the way out.

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    SockType, SockaddrIn, getpeername, getsockname, getsockopt, sockopt,
};
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

/// Where this launcher listens: each of its descriptors is asked whether it is
/// such a socket. (Who looks at somebody else's container listens nowhere.)
///
/// /proc/PID/net/tcp has all sockets as text. But to write it the kernel goes
/// through a table with room for hundreds of thousands of connections, which
/// takes longer than all the rest of a container's start.
fn doors() -> Result<Vec<String>> {
    let open = fs::read_dir(Proc::own().path("fd"));
    let open = open.context("list our descriptors")?.flatten();
    let number =
        |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let doors = open.filter_map(number).map(door);
    let mut doors: Vec<String> = doors
        .filter_map(Result::transpose)
        .collect::<Result<_, Errno>>()
        .context("ask our sockets where they listen")?;
    doors.sort();
    // One socket may be open twice.
    doors.dedup();
    Ok(doors)
}

/// The address of a socket that accepts connections (getsockname(2);
/// SO_ACCEPTCONN, socket(7)), or takes anybody's datagrams: it is connected to
/// nobody (getpeername(2)).
fn door(number: RawFd) -> Result<Option<String>, Errno> {
    let at: SockaddrIn = match getsockname(number) {
        // No socket; one of another family; the list itself, closed by now.
        Err(Errno::ENOTSOCK | Errno::EINVAL | Errno::EBADF) => {
            return Ok(None);
        }
        at => at?,
    };
    // SAFETY: it is borrowed until this function ends. Nothing closes it
    // meanwhile; a number that is no descriptor any more is EBADF.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    let protocol = match getsockopt(&socket, sockopt::SockType)? {
        SockType::Stream if getsockopt(&socket, sockopt::AcceptConn)? => "",
        SockType::Datagram if at.port() != 0 && !has_peer(number)? => "UDP ",
        _ => return Ok(None),
    };
    let port = at.port();
    Ok(Some(match at.ip() {
        Ipv4Addr::UNSPECIFIED => {
            format!("{protocol}port {port} by every address")
        }
        address => format!("{protocol}{address}:{port}"),
    }))
}

fn has_peer(number: RawFd) -> Result<bool, Errno> {
    match getpeername::<SockaddrIn>(number) {
        Err(Errno::ENOTCONN) => Ok(false),
        peer => peer.map(|_| true),
    }
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
