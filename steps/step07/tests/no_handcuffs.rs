//! step07 on a machine without cgroup v2: it says so, and why.

use std::path::Path;

use witness::{Machine, Report, run};

const STEP07: &str = env!("CARGO_BIN_EXE_step07");

/// Runs step07 where the place of cgroup v2 is taken, if it is not anyway: in
/// a mount namespace of the test's own in which a tmpfs covers it.
fn step07(flags: &str) -> Report {
    let script = format!(
        "mount -t tmpfs none /sys/fs/cgroup && \
         exec {STEP07} --network none {flags} -- cat /proc/self/cgroup"
    );
    run("unshare", &["--mount", "sh", "-c", &script])
}

#[test]
fn the_ledger_says_what_was_found_and_two_ways_out() {
    let _machine = Machine::new();
    let report = step07("");
    assert_eq!(report.status, 0, "{}", report.stderr);
    let ledger = &report.stderr;
    assert!(ledger.contains("no handcuffs: cgroups here are v1"), "{ledger}");
    assert!(ledger.contains("cargo workshop check 7 --vm"), "{ledger}");
    assert!(ledger.contains("scripts/vm to look around"), "{ledger}");
    assert!(ledger.contains("systemd.unified_cgroup_hierarchy=1"));
    assert!(!ledger.contains("cuffed"), "{ledger}");
    assert!(!report.stdout.contains("/workshop/"), "{}", report.stdout);
}

#[test]
fn a_limit_that_cannot_be_had_is_an_error() {
    let _machine = Machine::new();
    for flag in [
        "--memory 64M",
        "--cpus 0.5",
        "--pids 9",
        "--cpuset 0",
        "--io-read 1M",
        "--io-write 1M",
    ] {
        let report = step07(flag);
        assert_eq!(report.status, 125, "{flag}");
        assert!(report.stderr.contains("no handcuffs"), "{}", report.stderr);
        assert_eq!(report.stdout, "", "the command was not to run");
    }
    assert_eq!(step07("").status, 0, "the control");
}

#[test]
fn a_hybrid_machine_is_called_by_its_name() {
    let _machine = Machine::new();
    // cgroup v2 has no controllers to give in a place that is not its own.
    let script = format!(
        "mount -t tmpfs none /sys/fs/cgroup && \
         mkdir /sys/fs/cgroup/unified && \
         mount -t cgroup2 none /sys/fs/cgroup/unified && \
         exec {STEP07} --network none true"
    );
    let report = run("unshare", &["--mount", "sh", "-c", &script]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(report.stderr.contains("are hybrid"), "{}", report.stderr);
}

#[test]
fn what_is_no_limit_at_all_is_refused_before_anything_is_made() {
    let _machine = Machine::new();
    for (flag, value, why) in [
        ("--memory", "64Q", "64K, 64M, 1G"),
        ("--memory", "100K", "cannot even start"),
        ("--cpus", "0.001", "at least 0.01"),
        ("--cpus", "many", "number of CPUs"),
        ("--pids", "0", "a process already"),
        ("--io-read", "fast", "number of bytes"),
    ] {
        let report = run(STEP07, &[flag, value, "true"]);
        assert_eq!(report.status, 2, "{flag} {value}");
        let explained = report.stderr.contains(why);
        assert!(
            explained && report.stderr.contains(flag),
            "{}",
            report.stderr
        );
    }
    let ok = run(STEP07, &["-q", "--network", "none", "true"]);
    assert_eq!(ok.status, 0, "the control: {}", ok.stderr);
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let limited = ["-q", "--network", "none", "--pids", "9", "true"];
    let limited = run(STEP07, &limited);
    assert_eq!(limited.status == 0, unified, "{}", limited.stderr);
}
