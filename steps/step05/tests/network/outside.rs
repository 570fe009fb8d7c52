//! The way out: to the machine, and through it to the world.

use std::io::Write;
use std::net::{IpAddr, TcpListener};

use witness::{Running, run, start};

use crate::STEP05;
use crate::lab::{
    Lab, MACHINE, SERVER, accept, address, gateway, ip, nft, port, server,
};

/// A process that says what a server tells it.
fn client_of(server: &str, port: u16) -> Running {
    let script = format!("nc {server} {port} </dev/null");
    start(STEP05, &["-q"], &script)
}

/// Serves the one client, and returns the address that it seemed to have.
fn serve(server: &TcpListener) -> IpAddr {
    let mut client = accept(server);
    client.write_all(b"welcome\n").expect("answer");
    client.peer_addr().expect("its address").ip()
}

/// One packet there and back; says on stdout whether it came.
fn ping(to: &str, patience: u32) -> String {
    format!("ping -q -c 1 -W {patience} {to} >/dev/null && echo there")
}

#[test]
fn a_server_on_the_machine_can_be_reached_by_either_address() {
    let _lab = Lab::new();
    let server = server("0.0.0.0");
    let script = format!(
        "set -- $(ip route); nc $3 {0} </dev/null\nnc {MACHINE} {0} </dev/null",
        port(&server)
    );
    let mut process = start(STEP05, &["-q"], &script);
    let own = IpAddr::from(address(&process));
    for by in ["the cable's", "the uplink's"] {
        // It goes no further than the machine, and needs no other address.
        assert_eq!(serve(&server), own, "by {by} address");
        assert_eq!(process.hear(), "welcome");
    }
    assert_eq!(process.end().status, 0);
}

#[test]
fn a_server_outside_sees_the_machines_address() {
    let lab = Lab::new();
    let server = lab.server_outside();
    let mut process = client_of(SERVER, port(&server));
    assert_eq!(serve(&server).to_string(), MACHINE);
    assert_eq!(process.hear(), "welcome");
    assert_eq!(process.end().status, 0);
}

/// The control of the above: a connection that has got another source first.
#[test]
fn without_the_masquerade_it_would_see_the_containers() {
    let lab = Lab::new();
    // No machine outside has a route to a container, unless it is given one.
    lab.outside(|| ip("route add 10.77.0.0/16 via 198.51.100.1"));
    let server = lab.server_outside();
    let script = format!("read x; nc {SERVER} {} </dev/null", port(&server));
    let mut process = start(STEP05, &["-q"], &script);
    let own = address(&process);
    nft("add table ip control");
    nft("add chain ip control c { type nat hook postrouting priority 90 ; }");
    nft(&format!("add rule ip control c ip saddr {own} snat to {own}"));
    process.say("go on");
    assert_eq!(serve(&server), IpAddr::from(own));
    assert_eq!(process.end().status, 0);
    nft("delete table ip control");
}

#[test]
fn nobody_outside_can_reach_in() {
    let lab = Lab::new();
    let mut process = start(STEP05, &["-q"], &ping(SERVER, 20));
    assert_eq!(process.hear(), "there", "the control: it can reach out");
    let address = address(&process).to_string();
    let network = lab.outside(|| ip(&format!("route get {SERVER}")));
    assert!(network.contains("local"), "the control: {network}");
    let mut way = witness::command("ip");
    way.args(["route", "get", &address]);
    let way = lab.outside(|| way.output().expect("start ip"));
    assert!(!way.status.success(), "there is a way to {address} outside");
    process.end();
}

#[test]
fn a_chain_that_drops_is_told_and_really_drops() {
    let _lab = Lab::new();
    let script = ping(SERVER, 20) + "; echo over";
    let mut process = start(STEP05, &[], &script);
    assert_eq!(process.hear(), "there", "the control: without the chain");
    assert_eq!(process.hear(), "over");
    let ledger = process.end().stderr;
    assert!(!ledger.contains("drops"), "{ledger}");

    for table in ["inet first", "ip second"] {
        let hook = "type filter hook forward priority 0 ; policy drop ;";
        nft(&format!("add table {table}"));
        nft(&format!("add chain {table} gate {{ {hook} }}"));
    }
    let script = ping(SERVER, 1) + "; echo over";
    let mut process = start(STEP05, &[], &script);
    assert_eq!(process.hear(), "over", "the packet got through");
    let ledger = process.end().stderr;
    for chain in ["first gate", "second gate"] {
        let line = format!("chain `{chain}` drops what it would forward");
        assert!(ledger.contains(&line), "{ledger}");
    }
    nft("delete table inet first");
    nft("delete table ip second");
}

#[test]
fn a_chain_that_drops_something_else_is_not_told() {
    let _lab = Lab::new();
    // For IPv6 only; for what the machine receives; with another policy.
    nft("add table ip6 t");
    nft(
        "add chain ip6 t c { type filter hook forward priority 0 ; policy drop ; }",
    );
    nft("add table ip t");
    nft(
        "add chain ip t a { type filter hook forward priority 0 ; policy accept ; }",
    );
    nft(
        "add chain ip t i { type filter hook input priority 0 ; policy drop ; }",
    );
    let mut process = start(STEP05, &[], &ping(SERVER, 20));
    assert_eq!(process.hear(), "there");
    let ledger = process.end().stderr;
    assert!(!ledger.contains("drops"), "{ledger}");
    nft("delete table ip6 t");
    nft("delete table ip t");
}

#[test]
fn a_machine_without_a_default_route_is_as_far_as_it_gets() {
    let _lab = Lab::with_routes(&[]);
    let script = "set -- $(ip route); ".to_owned() + &ping("$3", 20);
    let mut process = start(STEP05, &[], &script);
    assert_eq!(process.hear(), "there", "the machine itself");
    let gateway = gateway(&process);
    let ledger = process.end().stderr;
    assert!(ledger.contains(&format!("way out {gateway}\n")), "{ledger}");
    let obstacle = "the machine has no default route itself";
    assert!(ledger.contains(obstacle), "{ledger}");
    // The control: it is not said where there is one.
    ip("route add default via 198.51.100.2");
    let report = run(STEP05, &["true"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(!report.stderr.contains(obstacle), "{}", report.stderr);
}

#[test]
fn a_default_route_to_nowhere_is_none() {
    let _lab = Lab::with_routes(&["unreachable default"]);
    let report = run(STEP05, &["true"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let obstacle = "the machine has no default route itself";
    assert!(report.stderr.contains(obstacle), "{}", report.stderr);
}
