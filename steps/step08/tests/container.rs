//! step08 from outside: the filter is on, and the container still works.

use std::collections::BTreeSet;

use witness::{Machine, Report, run, start};

const STEP08: &str = env!("CARGO_BIN_EXE_step08");
const FREE: [&str; 2] = ["--seccomp", "none"];
/// Other users than root, whether or not the person who has typed sudo has any
/// set aside.
const MAP: [&str; 4] =
    ["--uid-map", "0:100000:65536", "--gid-map", "0:100000:65536"];

fn step08(flags: &[&str], script: &str) -> Report {
    let quiet = ["-q", "--network", "none"];
    run(STEP08, &[&quiet, flags, &["--", "sh", "-c", script]].concat())
}

#[test]
fn the_kernel_reports_one_filter_and_without_it_none() {
    let _machine = Machine::new();
    let flags = ["--network", "none"];
    let process = start(STEP08, &flags, "");
    assert_eq!(process.status("Seccomp"), "2");
    assert_eq!(process.status("Seccomp_filters"), "1");
    assert_eq!(process.status("NoNewPrivs"), "0", "that is step10's");
    let report = process.end();
    // What step00 says of any process, and how many there are.
    let line = "gagged syscalls  filtered (filters: 1)";
    assert!(report.stderr.contains(line), "{}", report.stderr);

    let process = start(STEP08, &[&flags[..], &FREE].concat(), "");
    assert_eq!(process.status("Seccomp"), "0", "the control");
    let report = process.end();
    let line = "FREE   syscalls  may ask for any (mode 0)";
    assert!(report.stderr.contains(line), "{}", report.stderr);
}

#[test]
fn what_root_may_do_elsewhere_fails_with_eperm() {
    let _machine = Machine::new();
    for (what, script) in [
        ("mount", "mount -t tmpfs none /mnt"),
        ("unshare", "unshare -m true"),
        ("umount", "umount /dev/shm"),
        ("pivot_root", "mkdir /mnt/old && pivot_root /mnt /mnt/old"),
    ] {
        let report = step08(&[], script);
        assert_ne!(report.status, 0, "{what} was allowed");
        let said = report.stderr.to_lowercase();
        let refused =
            said.contains("not permitted") || said.contains("permission");
        assert!(refused, "{what}: {said}");
    }
    let script = "mount -t tmpfs none /mnt && unshare -m true && umount /mnt";
    let free = step08(&FREE, script);
    assert_eq!(free.status, 0, "the control: {}", free.stderr);
}

#[test]
fn every_child_has_it_too() {
    let _machine = Machine::new();
    let script = "sh -c 'sh -c \"grep Seccomp: /proc/self/status\"'";
    assert_eq!(step08(&["--init"], script).stdout, "Seccomp:\t2\n");
    assert_eq!(step08(&FREE, script).stdout, "Seccomp:\t0\n", "the control");
}

#[test]
fn what_ordinary_programs_do_still_works() {
    let _machine = Machine::new();
    let script = "set -e
        ping -c 1 127.0.0.1 >/dev/null
        mkdir -p /work/a; echo text >/work/a/file; ln -s file /work/a/link
        chmod 4755 /work/a/file; chown 7:7 /work/a/file; mkfifo /work/a/fifo
        tar -C /work -cf /tmp/all.tar a; mkdir /copy; tar -C /copy -xf /tmp/all.tar
        cmp /work/a/file /copy/a/file; mv /copy/a /copy/b; rm -r /copy
        (sleep 0.01 & wait) | cat; kill -0 $$; hostname other; date >/dev/null
        find / -xdev | sort | tail -n 1 >/dev/null; ps >/dev/null; top -bn1 >/dev/null
        trap 'echo trapped' USR1; kill -USR1 $$; ip link >/dev/null; su -c id nobody -s /bin/sh";
    let report = step08(&MAP, script);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(report.stdout.starts_with("trapped\n"), "{}", report.stdout);
}

#[test]
fn the_program_can_be_read_by_anyone() {
    let _machine = Machine::new();
    let report = run(STEP08, &["--dump-seccomp"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let instructions = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with(';'));
        lines.map(String::from).collect()
    };
    let dumped = instructions(&report.stdout);
    assert!(dumped.iter().any(|line| line.ends_with("KILL_PROCESS")));
    assert!(dumped.iter().any(|line| line.contains("clone3")));
    assert!(report.stdout.lines().all(|line| line.chars().count() <= 80));
    let none = run(STEP08, &["--dump-seccomp", "--seccomp", "none"]);
    assert!(instructions(&none.stdout).is_empty(), "the control");
}
