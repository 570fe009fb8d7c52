//! The machine as a router: on for as long as it is needed, and no longer.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use nix::sys::signal::Signal;
use witness::{Running, eventually, run, start};

use crate::STEP05;
use crate::lab::{
    Lab, OwnRun, interfaces, is_forwarding, nft, program, set_forwarding,
};

fn is_on() -> bool {
    is_forwarding("uplink")
}

fn container() -> Running {
    start(STEP05, &["-q"], "")
}

#[test]
fn it_is_on_while_a_container_runs() {
    let _lab = Lab::new();
    assert!(!is_on(), "the control: an ordinary machine does not forward");
    let process = container();
    assert!(is_on());
    assert!(!is_forwarding("all"), "only the uplink was to be switched on");
    process.end();
    assert!(!is_on());
}

#[test]
fn two_containers_share_it_until_the_last_ends() {
    let _lab = Lab::new();
    for is_first_to_go_first in [true, false] {
        let mut both = [container(), container()];
        if !is_first_to_go_first {
            both.reverse();
        }
        let [one, other] = both;
        one.end();
        assert!(is_on(), "the other one needs it still");
        other.end();
        assert!(!is_on());
    }
}

#[test]
fn it_goes_off_with_the_last_that_is_killed() {
    let _lab = Lab::new();
    let [one, other] = [container(), container()];
    one.kill();
    assert!(is_on(), "the other one needs it still");
    other.kill();
    eventually("the guardian to switch it off", || !is_on());
}

#[test]
fn killed_with_sigkill_it_leaves_no_cable_rule_or_claim() {
    let _lab = Lab::new();
    let process = container();
    // The control: all of these are there to be left.
    let tables = || nft("list tables");
    let claims = || !witness::claims().is_empty();
    let cables = || {
        let names = interfaces("thread-self");
        names.iter().filter(|name| name.starts_with("box")).count()
    };
    assert!(tables().contains("table ip workshop-box"), "{}", tables());
    assert!(claims());
    assert_eq!(cables(), 1);
    process.kill();
    eventually("the cable to go", || cables() == 0);
    eventually("the rules to go", || tables().is_empty());
    eventually("the claim to go", || !claims());
}

/// What the kernel takes a while to close, nobody waits for; but it is gone
/// from sight before the launcher is.
#[test]
fn with_the_launcher_ends_what_it_has_made() {
    let _lab = Lab::new();
    let process = container();
    let found = || {
        let tables = nft("list tables");
        (tables.contains("workshop-box"), witness::claims().len(), is_on())
    };
    assert_eq!(found(), (true, 1, true), "the control");
    process.end();
    assert_eq!(found(), (false, 0, false));
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    const MOMENTS: u32 = 60;
    let lab = Lab::new();
    let _run = OwnRun::new(&lab);
    let start = Instant::now();
    assert_eq!(run(STEP05, &["-q", "true"]).status, 0);
    let whole = start.elapsed();
    for moment in 0..MOMENTS {
        let mut launcher = Command::new(STEP05)
            .args(["-q", "--publish", "8080:80", "--", "sleep", "1000"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start step05");
        // No wait for anything: each round kills it a little later.
        sleep(whole * moment / MOMENTS);
        launcher.kill().expect("kill it");
        launcher.wait().expect("wait for it");
    }
    // What was left of their locks goes with the next one.
    assert_eq!(run(STEP05, &["-q", "true"]).status, 0);
    assert!(!fs::exists("/run/workshop").expect("look"), "left behind");
    // The rest is the laboratory's: it is compared with what it was before.
}

#[test]
fn an_interrupt_switches_it_off_as_well() {
    let _lab = Lab::new();
    let script = "trap 'exit 7' TERM; echo ready; sleep 1000 & wait";
    let mut process = start(STEP05, &["-q"], script);
    assert_eq!(process.hear(), "ready");
    assert!(is_on());
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().status, 7);
    assert!(!is_on());
}

#[test]
fn what_the_administrator_has_switched_on_stays_on() {
    let _lab = Lab::new();
    set_forwarding("uplink", true);
    container().end();
    assert!(is_on());
    let [one, other] = [container(), container()];
    one.end();
    other.kill();
    assert!(is_on());
    set_forwarding("uplink", false);
}

#[test]
fn all_interfaces_switched_on_in_the_meantime_stay_on() {
    let _lab = Lab::new();
    let process = container();
    // As Docker does when it starts. The next container finds it all on.
    set_forwarding("all", true);
    let next = container();
    process.end();
    assert!(is_on());
    next.end();
    assert!(is_on());
    set_forwarding("all", false);
}

#[test]
fn an_uplink_that_is_off_on_purpose_is_off_again() {
    let _lab = Lab::new();
    set_forwarding("all", true);
    set_forwarding("uplink", false);
    let process = container();
    assert!(is_on());
    process.end();
    assert!(!is_on());
    set_forwarding("all", false);
}

#[test]
fn a_switch_that_cannot_be_switched_is_an_error() {
    let _lab = Lab::new();
    program("mount", "--bind /proc/sys /proc/sys");
    program("mount", "-o remount,bind,ro /proc/sys");
    let report = run(STEP05, &["true"]);
    assert_eq!(report.status, 125, "{}", report.stderr);
    let error = "write 1 to /proc/sys/net/ipv4/conf/uplink/forwarding: Read-";
    assert!(report.stderr.contains(error), "{}", report.stderr);
    assert!(report.stderr.contains("--network none"), "{}", report.stderr);
    // The control: what is recommended works.
    let report = run(STEP05, &["--network", "none", "true"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    program("umount", "/proc/sys");
}
