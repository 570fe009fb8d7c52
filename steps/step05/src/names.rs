//! How names become addresses inside: /etc/hosts and /etc/resolv.conf.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::Kind;
use crate::address::Cable;

/// Where systemd-resolved writes the servers that it asks itself.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// The files that tell a container its own name and its name servers.
///
/// `servers` are those asked for on the command line.
pub fn files(
    hostname: &str,
    kind: Kind,
    cable: Option<&Cable>,
    servers: &[IpAddr],
) -> Vec<(PathBuf, String)> {
    let mut hosts = String::from("127.0.0.1 localhost\n::1 localhost\n");
    let own = cable.map_or("127.0.1.1".into(), |c| c.inside.to_string());
    hosts += &format!("{own} {hostname}\n");
    vec![
        ("/etc/hosts".into(), hosts),
        ("/etc/hostname".into(), format!("{hostname}\n")),
        ("/etc/resolv.conf".into(), resolv_conf(kind, servers)),
    ]
}

/// The machine's resolv.conf(5), without the servers that cannot be reached.
///
/// A server at 127.0.0.53 (systemd-resolved) is the machine's own loopback,
/// and a network of its own has another. The servers behind it can be reached.
fn resolv_conf(kind: Kind, servers: &[IpAddr]) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let machine = read("/etc/resolv.conf");
    let is_reachable = |server: &IpAddr| match kind {
        Kind::Host => true,
        // There is no way out for IPv6.
        _ => server.is_ipv4() && !server.is_loopback(),
    };
    let reachable = |file| {
        let servers = servers_in(file).into_iter();
        servers.filter(is_reachable).collect()
    };
    let mut servers = servers.to_vec();
    if servers.is_empty() {
        servers = reachable(&machine);
    }
    if servers.is_empty() {
        servers = reachable(&read(RESOLVED));
    }
    let others = machine.lines().filter(|line| {
        line.starts_with("search") || line.starts_with("options")
    });
    let servers = servers.iter().map(|server| format!("nameserver {server}"));
    let lines: Vec<_> = servers.chain(others.map(str::to_owned)).collect();
    lines.join("\n") + "\n"
}

fn servers_in(resolv_conf: &str) -> Vec<IpAddr> {
    let lines = resolv_conf.lines();
    let servers = lines.filter_map(|line| line.strip_prefix("nameserver"));
    servers.filter_map(|server| server.trim().parse().ok()).collect()
}
