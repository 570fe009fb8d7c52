//! What the machine's end of a cable does not do, and what the machine does
//! not pass on.
//!
//! A cable leads both ways. Whoever is at its other end could tell the machine
//! where the world is (an IPv6 router advertisement, an ICMP redirect), send
//! under somebody else's address, and be reached by all who know a way here.
//! So the machine's end speaks IPv4 only and takes no advice, and what is
//! forwarded to a container is an answer (Docker: CVE-2020-13401, and the chain
//! DOCKER-FORWARD).

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};

use crate::address::Cable;
use crate::netlink::Request;
use crate::nf_requests::{chain, rule};
use crate::nf_tables::*;

/// Settings of the machine's end, in the order in which they are written.
///
/// A router advertisement is how an IPv6 machine learns its default route:
/// whoever sends one would get all of this machine's traffic (CVE-2020-13401).
/// IPv6 is not promised, so there is none at all; the two above are for a
/// moment in which somebody switches it on again.
const SETTINGS: [(&str, &str); 6] = [
    ("ipv6/conf/{}/accept_ra", "0"),
    ("ipv6/conf/{}/accept_redirects", "0"),
    ("ipv6/conf/{}/disable_ipv6", "1"),
    ("ipv4/conf/{}/accept_redirects", "0"),
    ("ipv4/conf/{}/accept_source_route", "0"),
    // What comes from an address to which no route leads by this cable.
    ("ipv4/conf/{}/rp_filter", "1"),
];

/// Outside, after the cable is plugged in. The other end is down until the new
/// process brings it up, so nothing has come through by then.
///
/// # Errors
/// EROFS where /proc/sys is read-only. A kernel without IPv6 lacks its files,
/// and that is no error.
pub(crate) fn shut(interface: &str) -> Result<()> {
    for (setting, value) in SETTINGS {
        let path =
            format!("/proc/sys/net/{}", setting.replace("{}", interface));
        match fs::write(&path, value) {
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && setting.starts_with("ipv6") => {}
            written => {
                written.with_context(|| format!("write {value} to {path}"))?
            }
        }
    }
    Ok(())
}

/// What `nft` calls
///
/// ```text
/// chain prerouting {
///     type filter hook prerouting priority raw
///     iifname CABLE ip saddr != INSIDE drop
/// }
/// chain forward {
///     type filter hook forward priority filter
///     oifname CABLE ct state & (established | related) == 0 drop
/// }
/// ```
///
/// The second one keeps neighbours out: those on the network, and the other
/// containers, each of which has such a chain of its own.
pub(crate) fn chains(table: &str, cable: &Cable) -> Vec<Request> {
    let filter = "filter";
    let (spoofing, forward) = ("prerouting", "forward");
    let name = interface_name(&cable.name);
    let inside = cable.inside.octets();
    vec![
        chain(table, spoofing, filter, NF_INET_PRE_ROUTING, NF_IP_PRI_RAW),
        rule(table, spoofing, |expressions| {
            expressions
                .load_meta(NFT_META_IIFNAME)
                .compare(NFT_CMP_EQ, &name)
                .load_header(SOURCE_OFFSET, SOURCE_LENGTH)
                .compare(NFT_CMP_NEQ, &inside)
                .drop()
        }),
        chain(table, forward, filter, NF_INET_FORWARD, NF_IP_PRI_FILTER),
        rule(table, forward, |expressions| {
            expressions
                .load_meta(NFT_META_OIFNAME)
                .compare(NFT_CMP_EQ, &name)
                .load_connection_state()
                .keep_bits(NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED)
                .compare(NFT_CMP_EQ, &[0; 4])
                .drop()
        }),
    ]
}

/// As the kernel compares them: sixteen bytes, the last ones zero.
fn interface_name(name: &str) -> [u8; libc::IFNAMSIZ] {
    let mut bytes = [0; libc::IFNAMSIZ];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}
