//! What the process sees of the network.

use witness::{namespace, run, start};

use crate::STEP05;
use crate::lab::{Lab, address, gateway, interfaces, ip, program};

#[test]
fn a_private_network_has_a_loopback_and_one_cable() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q"], "");
    assert_eq!(interfaces(process.pid), ["lo", "eth0"]);
    // The control: the machine has others, among them the cable's other end.
    let machines = interfaces("thread-self");
    assert!(machines.contains(&"uplink".into()), "{machines:?}");
    let cables = machines.iter().filter(|name| name.starts_with("box"));
    assert_eq!(cables.count(), 1, "{machines:?}");
    assert_ne!(namespace(process.pid, "net"), namespace("thread-self", "net"));
    assert_eq!(process.end().status, 0);
}

#[test]
fn it_has_one_address_and_a_way_out_by_the_cables_other_end() {
    let _lab = Lab::new();
    let process = start(STEP05, &[], "");
    let (own, gateway) = (address(&process), gateway(&process));
    let inside = format!("-t {} -n ip", process.pid);
    let addresses = format!("{inside} -o -4 address show eth0");
    let addresses = program("nsenter", &addresses);
    assert!(addresses.contains(&format!("inet {own}/30 ")), "{addresses}");
    let routes = program("nsenter", &format!("{inside} route"));
    let default = format!("default via {gateway} dev eth0 ");
    assert!(routes.starts_with(&default), "{routes}");
    assert_eq!(routes.lines().count(), 2, "{routes}");
    let machines = ip("-o -4 address");
    assert!(machines.contains(&format!("inet {gateway}/30 ")), "{machines}");
    assert!(!machines.contains(&own.to_string()), "{machines}");

    let ledger = process.end().stderr;
    let network = format!("lo, eth0 with {own}, way out {gateway}\n");
    assert!(ledger.contains(&network), "{ledger}");
    assert!(!ledger.contains("way out   "), "an obstacle: {ledger}");
}

#[test]
fn none_has_a_loopback_only_and_it_is_up() {
    let _lab = Lab::new();
    let ping = "ping -q -c 1 127.0.0.1 >/dev/null 2>&1 -W";
    // The control: with the loopback switched off, the ping fails.
    let script =
        format!("{ping} 20 && ip link set lo down; {ping} 1 || echo off");
    let flags = ["--network", "none"];
    let mut process = start(STEP05, &flags, &script);
    assert_eq!(process.hear(), "off");
    assert_eq!(interfaces(process.pid), ["lo"]);
    assert_eq!(process.read("net/route").lines().count(), 1, "a route");
    let report = process.end();
    let network = "blind  network   lo, no way out";
    assert!(report.stderr.contains(network), "{}", report.stderr);
}

#[test]
fn none_and_host_leave_the_machine_alone() {
    let lab = Lab::new();
    // The control: a private network does not.
    for (network, is_left_alone) in
        [("none", true), ("host", true), ("private", false)]
    {
        let before = Snapshot::of_this_machine();
        let process = start(STEP05, &["-q", "--network", network], "");
        let is_same = before == Snapshot::of_this_machine();
        assert_eq!(is_same, is_left_alone, "--network {network}");
        process.end();
    }
    drop(lab);
}

#[derive(PartialEq)]
struct Snapshot(Vec<String>, String, bool);

impl Snapshot {
    fn of_this_machine() -> Snapshot {
        let rules = crate::lab::nft("list ruleset");
        let forwards = crate::lab::is_forwarding("uplink");
        Snapshot(interfaces("thread-self"), rules, forwards)
    }
}

#[test]
fn host_is_the_network_of_the_caller() {
    let _lab = Lab::new();
    let process = start(STEP05, &["--network", "host"], "");
    let own = namespace("thread-self", "net");
    assert_eq!(namespace(process.pid, "net"), own);
    assert_eq!(interfaces(process.pid), interfaces("thread-self"));
    let ledger = process.end().stderr;
    let network = "SEES   network   the machine's interfaces";
    assert!(ledger.contains(network), "{ledger}");
}

#[test]
fn no_other_network_is_known() {
    let _lab = Lab::new();
    let report = run(STEP05, &["--network", "overlay", "true"]);
    assert_eq!(report.status, 2);
    assert!(report.stderr.contains("--network"), "{}", report.stderr);
}
