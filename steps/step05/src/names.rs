//! How names become addresses inside: /etc/hosts and /etc/resolv.conf.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::Kind;
use crate::address::Cable;

/// The machine's own name servers, or a program of its own that asks them.
const MACHINE: &str = "/etc/resolv.conf";

/// Where such a program (systemd-resolved, NetworkManager) writes whom it asks.
const BEHIND: [&str; 2] = [
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
];

/// The files that tell a container its own name and its name servers.
///
/// `servers` are those asked for on the command line.
pub fn files(
    hostname: &str,
    kind: Kind,
    cable: Option<&Cable>,
    servers: &[IpAddr],
) -> Vec<(PathBuf, String)> {
    let address = cable.map_or("127.0.1.1".into(), |c| c.inside.to_string());
    vec![
        ("/etc/hosts".into(), hosts(hostname, kind, &address)),
        ("/etc/hostname".into(), format!("{hostname}\n")),
        ("/etc/resolv.conf".into(), resolv_conf(kind, servers)),
    ]
}

/// hosts(5). A full name has its short one beside it, as hostname(1) expects
/// it: what comes first is the one that an address is translated back to. On
/// the machine's own network its names hold as well.
fn hosts(hostname: &str, kind: Kind, address: &str) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
    if kind == Kind::Host {
        let machines = fs::read_to_string("/etc/hosts").unwrap_or_default();
        if !machines.trim().is_empty() {
            text = machines.trim_end().to_owned() + "\n";
        }
    }
    // What is behind a # is a comment, wherever that stands.
    let names = text.lines().flat_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1)
    });
    if names.into_iter().any(|name| name == hostname) {
        return text;
    }
    let short = hostname.split('.').next().unwrap_or_default();
    text += &match short == hostname || short.is_empty() {
        true => format!("{address} {hostname}\n"),
        false => format!("{address} {hostname} {short}\n"),
    };
    text
}

/// The machine's resolv.conf(5), without the servers that cannot be reached.
///
/// A server at 127.0.0.53 (systemd-resolved) is the machine's own loopback,
/// and a network of its own has another. The servers behind it can be reached.
fn resolv_conf(kind: Kind, servers: &[IpAddr]) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let machine = read(MACHINE);
    let mut servers: Vec<String> =
        servers.iter().map(IpAddr::to_string).collect();
    if servers.is_empty() {
        servers = reachable(&machine, kind);
    }
    for file in BEHIND {
        if servers.is_empty() {
            servers = reachable(&read(file), kind);
        }
    }
    let others = ["domain", "search", "options", "sortlist"];
    let others = machine.lines().filter(|line| {
        others.iter().any(|keyword| value(line, keyword).is_some())
    });
    let servers = servers.iter().map(|server| format!("nameserver {server}"));
    let lines: Vec<_> = servers.chain(others.map(str::to_owned)).collect();
    lines.join("\n") + "\n"
}

/// The servers in a resolv.conf(5) that a network of this kind leads to.
fn reachable(resolv_conf: &str, kind: Kind) -> Vec<String> {
    let is_reachable = |server: &&str| match (kind, address(server)) {
        (_, None) => false,
        (Kind::Host, _) => true,
        // There is no way out for IPv6. And 0.0.0.0 is whoever asks.
        (_, Some(IpAddr::V6(_))) => false,
        (_, Some(server)) => !server.is_loopback() && !server.is_unspecified(),
    };
    servers_in(resolv_conf).filter(is_reachable).map(str::to_owned).collect()
}

/// The name servers in a resolv.conf(5), as glibc finds them: one on a line,
/// and whatever follows it counts for nothing.
pub(crate) fn servers_in(resolv_conf: &str) -> impl Iterator<Item = &str> {
    let values = resolv_conf.lines().filter_map(|l| value(l, "nameserver"));
    values.filter_map(|value| value.split([' ', '\t']).next())
}

/// What a line says behind its keyword, which has to be its first letter and
/// be followed by a blank. Where that is not so it is a comment, for glibc.
fn value<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(keyword)?;
    let value = rest.trim_start_matches([' ', '\t']);
    (value.len() < rest.len()).then_some(value)
}

/// `fe80::1%eth0` is an address and the interface at which it is meant.
fn address(server: &str) -> Option<IpAddr> {
    match server.split_once('%') {
        Some((address, _)) => address.parse().ok().filter(IpAddr::is_ipv6),
        None => server.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_found_as_glibc_finds_them() {
        let text = "nameserver 10.0.0.1 # by dhcp\n\
                    nameserver\t 10.0.0.2\t10.0.0.3\n\
                    # nameserver 10.0.0.4\n\
                    ;nameserver 10.0.0.5\n \
                    nameserver 10.0.0.6\n\
                    nameservers 10.0.0.7\n\
                    nameserver10.0.0.8\n\
                    nameserver 10.0.0.9;x\n\
                    nameserver\n\
                    nameserver 10.0.0.10\r\n\
                    nameserver fe80::1%eth0\n\
                    nameserver 127.0.0.53\n\
                    nameserver 0.0.0.0";
        let inside = reachable(text, Kind::Private);
        assert_eq!(inside, ["10.0.0.1", "10.0.0.2", "10.0.0.10"]);
        let machine = reachable(text, Kind::Host);
        assert_eq!(machine[..3], inside);
        assert_eq!(machine[3..], ["fe80::1%eth0", "127.0.0.53", "0.0.0.0"]);
    }

    #[test]
    fn a_full_name_has_a_short_one() {
        let last = |name: &str| {
            let text = hosts(name, Kind::Private, "10.77.0.2");
            text.lines().last().map(str::to_owned)
        };
        let full = "10.77.0.2 web.example.com web";
        assert_eq!(last("web.example.com").as_deref(), Some(full));
        assert_eq!(last("web").as_deref(), Some("10.77.0.2 web"));
        assert_eq!(last("localhost").as_deref(), Some("::1 localhost"));
    }
}
