//! Which addresses a container gets: a /30 of 10.77.0.0/16 to itself.
//!
//! A hundred launchers may start at once and none asks another. Each claims a
//! range by binding a socket in the abstract namespace (unix(7)): a name that
//! the kernel gives to one process only, and takes back when that ends.

use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::{Context, Result, bail};

use crate::forwarding::routes;
use crate::network::Cable;

/// The range, and how many networks of four addresses it holds.
const FIRST: u32 = u32::from_be_bytes([10, 77, 0, 0]);
const COUNT: u32 = (1 << 16) / 4;

/// A range that is ours for as long as this lives.
#[derive(Debug)]
pub struct Claim {
    /// The cable that is to get the two addresses.
    pub cable: Cable,
    _name: UnixDatagram,
}

/// Claims the first range that is neither claimed nor routed on this machine.
///
/// # Errors
/// When all 16384 are taken.
pub fn claim() -> Result<Claim> {
    let routed = routes("self")?;
    let is_routed = |network: u32| {
        routed.iter().any(|route| {
            let mask = u32::from(route.mask);
            // A wider route than our /16 (a VPN to 10.0.0.0/8) merely lies
            // behind it.
            mask.leading_ones() >= 16
                && network & mask == u32::from(route.destination) & mask
        })
    };
    // Neighbours start at different places.
    let start = std::process::id() % COUNT;
    for number in (start..COUNT).chain(0..start) {
        let network = FIRST + number * 4;
        if is_routed(network) {
            continue;
        }
        let name = format!("workshop/{}", Ipv4Addr::from(network));
        let name =
            SocketAddr::from_abstract_name(name).context("name a claim")?;
        if let Ok(socket) = UnixDatagram::bind_addr(&name) {
            let cable = Cable {
                name: format!("box{number}"),
                outside: Ipv4Addr::from(network + 1),
                inside: Ipv4Addr::from(network + 2),
            };
            return Ok(Claim { cable, _name: socket });
        }
    }
    bail!("all {COUNT} networks in 10.77.0.0/16 are in use")
}
