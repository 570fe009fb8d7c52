//! Which addresses a container gets: a /30 of 10.77.0.0/16 to itself.
//!
//! A hundred launchers may start at once and none asks another. Each claims a
//! range by a lock of that name, which the kernel takes away from a process
//! that ends. It is a lock of root's own: were it a name that everybody can
//! take, a stranger could take all of them.

use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use nix::net::if_::if_nametoindex;
use step00::Proc;
use step00::lock::Lock;
use step00::proc::Route;

/// What the name of each lock begins with.
pub(crate) const CLAIM: &str = ".net-";

/// And that of the machine's end of each cable.
pub(crate) const NAME: &str = "box";

/// The range, and how many networks of four addresses it holds.
const FIRST: u32 = u32::from_be_bytes([10, 77, 0, 0]);
const COUNT: u32 = (1 << 16) / 4;

/// The cable between the machine and a container.
#[derive(Debug, Clone)]
pub struct Cable {
    /// The name of the machine's end.
    pub name: String,
    /// The address of the machine's end, and the way out for the container.
    pub outside: Ipv4Addr,
    /// The address of the container's end, `eth0`.
    pub inside: Ipv4Addr,
}

/// A range that is ours for as long as this lives.
#[derive(Debug)]
pub struct Claim {
    /// The cable that is to get the two addresses.
    pub cable: Cable,
    _lock: Lock,
}

/// Claims the first range that is neither claimed nor `routed` on this machine.
///
/// # Errors
/// When all 16384 are taken.
pub fn claim(routed: &[Route]) -> Result<Claim> {
    // Neighbours start at different places.
    let start = std::process::id() % COUNT;
    let here = this_network()?;
    for number in (start..COUNT).chain(0..start) {
        let network = FIRST + number * 4;
        if is_routed(network, routed) {
            continue;
        }
        let name = format!("{CLAIM}{here}-{}", Ipv4Addr::from(network));
        let Some(lock) = Lock::try_take(&name)? else { continue };
        let cable = Cable {
            name: format!("{NAME}{number}"),
            outside: Ipv4Addr::from(network + 1),
            inside: Ipv4Addr::from(network + 2),
        };
        // Whoever had this range may have let go of it only just now, and the
        // cable goes a moment later than the lock.
        if if_nametoindex(&*cable.name).is_ok() {
            continue;
        }
        return Ok(Claim { cable, _lock: lock });
    }
    bail!("all {COUNT} networks in 10.77.0.0/16 are in use")
}

/// The network namespace that this process is in, in digits: the locks of two
/// networks have nothing to do with each other.
pub(crate) fn this_network() -> Result<String> {
    let name = Proc::own().namespace("net")?;
    Ok(name.chars().filter(char::is_ascii_digit).collect())
}

/// Does the machine know a way to any of the four addresses already?
fn is_routed(network: u32, routes: &[Route]) -> bool {
    routes.iter().any(|route| {
        // A wider route than our /16 (a VPN to 10.0.0.0/8) merely lies behind
        // it. A narrower one than our /30 is to one of the four.
        let mask = u32::from(route.mask);
        let common = mask & !3;
        mask.leading_ones() >= 16
            && network & common == u32::from(route.destination) & common
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: [u8; 4], bits: u32) -> Route {
        Route {
            interface: "tun0".into(),
            destination: destination.into(),
            gateway: Ipv4Addr::UNSPECIFIED,
            mask: Ipv4Addr::from(u32::MAX.checked_shl(32 - bits).unwrap_or(0)),
        }
    }

    #[test]
    fn a_range_is_routed_if_one_of_its_four_addresses_is() {
        let to = |bits| [route([10, 77, 4, 6], bits)];
        let network = |last| FIRST + 4 * 256 + last;
        for bits in [16, 24, 30, 31, 32] {
            assert!(is_routed(network(4), &to(bits)), "/{bits}");
        }
        assert!(is_routed(network(8), &to(24)));
        assert!(!is_routed(network(8), &to(30)), "a neighbour");
        assert!(!is_routed(network(8), &to(32)), "a neighbour");
    }

    #[test]
    fn a_wide_route_is_no_obstacle() {
        for bits in [0, 8, 15] {
            assert!(!is_routed(FIRST, &[route([10, 77, 0, 0], bits)]));
        }
    }
}
