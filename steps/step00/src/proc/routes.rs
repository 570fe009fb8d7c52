//! The IPv4 routes of a network namespace.

use std::net::Ipv4Addr;

/// A line of `net/route` (proc_pid_net(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The interface on which packets leave; `*` where they do not, because
    /// the route only says "unreachable".
    pub interface: String,
    /// Where they are to go, together with `mask`.
    pub destination: Ipv4Addr,
    /// The router that passes them on, or 0.0.0.0 for none.
    pub gateway: Ipv4Addr,
    /// Which bits of the destination count: none for the default route.
    pub mask: Ipv4Addr,
}

impl Route {
    /// Reads a whole table, whose first line names the columns.
    pub fn parse_all(table: &str) -> Vec<Route> {
        table.lines().skip(1).filter_map(Route::parse).collect()
    }

    /// Is it the way to everywhere else?
    pub fn is_default(&self) -> bool {
        self.mask.is_unspecified()
    }

    fn parse(line: &str) -> Option<Route> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // An address is a number in hexadecimal, whose bytes are in network
        // order in memory: read it in the machine's own order.
        let address = |number: usize| {
            let number = u32::from_str_radix(fields.get(number)?, 16).ok()?;
            Some(Ipv4Addr::from(number.to_ne_bytes()))
        };
        Some(Route {
            interface: (*fields.first()?).to_owned(),
            destination: address(1)?,
            gateway: address(2)?,
            mask: address(7)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel prints it whose processor has this byte order.
    fn hexadecimal(address: [u8; 4]) -> String {
        format!("{:08X}", u32::from_ne_bytes(address))
    }

    #[test]
    fn the_default_route_is_told_from_the_others() {
        let zero = hexadecimal([0; 4]);
        let gateway = hexadecimal([10, 77, 0, 1]);
        let network = hexadecimal([10, 77, 0, 0]);
        let mask = hexadecimal([255, 255, 255, 252]);
        let table = format!(
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
             eth0\t{zero}\t{gateway}\t0003\t0\t0\t0\t{zero}\t0\t0\t0\n\
             eth0\t{network}\t{zero}\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"
        );
        let routes = Route::parse_all(&table);
        assert_eq!(routes.len(), 2);
        assert!(routes[0].is_default());
        assert_eq!(routes[0].gateway, Ipv4Addr::new(10, 77, 0, 1));
        assert!(!routes[1].is_default(), "control");
        assert_eq!(routes[1].destination, Ipv4Addr::new(10, 77, 0, 0));
        assert_eq!(routes[1].mask, Ipv4Addr::new(255, 255, 255, 252));
        assert_eq!(routes[1].interface, "eth0");
        assert!(Route::parse_all("").is_empty(), "no IPv4 at all");
    }
}
