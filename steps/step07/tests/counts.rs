//! step07's part of what the kernel counts for each user.

use std::fs;

use witness::{Machine, run};

/// The two limits, as the command inside reads them.
fn inside(binary: &str) -> [u64; 2] {
    let cat = ["cat", "/proc/sys/user/max_inotify_instances"];
    let cat = [&cat[..], &["/proc/sys/user/max_inotify_watches"]].concat();
    let flags = ["-q", "--network", "none", "--"];
    let report = run(binary, &[&flags[..], &cat].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    let numbers: Vec<_> = report.stdout.lines().map(str::parse).collect();
    [0, 1].map(|at| numbers[at].clone().expect("a number"))
}

#[test]
fn a_container_gets_an_eighth_of_what_a_user_may_have() {
    let _machine = Machine::new();
    let machines = ["instances", "watches"].map(|name| {
        let path = format!("/proc/sys/fs/inotify/max_user_{name}");
        let number = fs::read_to_string(path).expect("the machine's limit");
        number.trim().parse::<u64>().expect("a number")
    });
    let parts = machines.map(|whole| (whole / 8).max(1));
    assert_eq!(inside(env!("CARGO_BIN_EXE_step07")), parts);
    // The control: a new user namespace of itself sets no limit.
    let script = "exec unshare --user --map-root-user cat \
                  /proc/sys/user/max_inotify_instances";
    let free = run("sh", &["-c", script]).stdout;
    let free: u64 = free.trim().parse().expect("a number");
    assert!(free > parts[0], "the control: {free}");
}
