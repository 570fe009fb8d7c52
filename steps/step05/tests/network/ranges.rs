//! Which addresses are given out, and which are in use elsewhere.

use std::net::Ipv4Addr;

use witness::{eventually, run, start};

use crate::STEP05;
use crate::lab::{Lab, address, ip};

/// The last range of all.
const LAST: u32 = u32::from_be_bytes([10, 77, 255, 252]);

/// Routes everything in 10.77.0.0/16 to somewhere else, but for the last four
/// addresses: the half that these are not in, then of the other half …
fn route_all_but_the_last() {
    for bits in 17..=30 {
        let mask = u32::MAX << (32 - bits);
        let sibling = (LAST ^ (1 << (32 - bits))) & mask;
        let sibling = Ipv4Addr::from(sibling);
        ip(&format!("route add {sibling}/{bits} via 198.51.100.2"));
    }
}

#[test]
fn a_range_that_is_routed_elsewhere_is_left_alone() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q"], "");
    // Which one it gets depends on its number; the last would be a rare find.
    assert_ne!(u32::from(address(&process)), LAST + 2, "the control");
    process.end();

    route_all_but_the_last();
    let process = start(STEP05, &["-q"], "");
    assert_eq!(address(&process), Ipv4Addr::new(10, 77, 255, 254));
    refused("the only range is taken");
    process.end();
    // The kernel takes the cable away in its own time. Then it can be had
    // again.
    eventually("the range to be free", || !ip("route").contains("dev box"));
    let process = start(STEP05, &["-q"], "");
    assert_eq!(address(&process), Ipv4Addr::new(10, 77, 255, 254));
    process.end();
    eventually("the range to be free", || !ip("route").contains("dev box"));

    // A way to one of its four addresses is enough.
    ip("route add 10.77.255.253/32 via 198.51.100.2");
    refused("there is no range left");
}

fn refused(why: &str) {
    let report = run(STEP05, &["-q", "true"]);
    assert_eq!(report.status, 125, "{why}: {}", report.stderr);
    let error = "all 16384 networks in 10.77.0.0/16 are in use";
    assert!(report.stderr.contains(error), "{why}: {}", report.stderr);
}

#[test]
fn a_route_to_more_than_ours_does_not_take_it() {
    let lab = Lab::new();
    ip("route add 10.0.0.0/8 via 198.51.100.2");
    let script = "set -- $(ip route); \
        ping -q -c 1 -W 20 $3 >/dev/null 2>&1 && echo there || echo lost";
    let mut process = start(STEP05, &["-q"], script);
    assert_eq!(process.hear(), "there");
    assert_eq!(process.end().status, 0);
    drop(lab);
}
