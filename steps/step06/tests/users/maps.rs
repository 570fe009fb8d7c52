//! The maps, as the kernel shows them, and what the process is outside.

use witness::{Covers, Machine, Running, run, start};

use crate::{STEP06, as_root, as_sudo};

/// A map without the kernel's padding: `0 100000 65536`, a line for each.
pub fn map(process: &Running, kind: &str) -> Vec<String> {
    let text = process.read(&format!("{kind}_map"));
    let words =
        |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

/// All capabilities that this kernel has, as /proc/PID/status writes them.
pub fn every_capability() -> String {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap");
    let last: u32 = last.expect("read it").trim().parse().expect("a number");
    format!("{:016x}", u64::MAX >> (63 - last))
}

/// Real, effective, saved and filesystem number: all the same.
pub fn four_times(number: u32) -> String {
    format!("{number}\t{number}\t{number}\t{number}")
}

#[test]
fn root_with_nobody_behind_it_is_a_number_that_nobody_has() {
    let _machine = Machine::new();
    let script = "cat /proc/self/uid_map; id -u";
    let command = [&["--groups", "4242", "env"], &as_root(&[])[..]].concat();
    let mut process = start("setpriv", &command, script);
    let inside = process.hear();
    let inside: Vec<_> = inside.split_whitespace().collect();
    assert_eq!(inside, ["0", "100000", "65536"]);
    assert_eq!(process.hear(), "0");

    assert!(process.is_apart("user"));
    assert_eq!(map(&process, "uid"), ["0 100000 65536"]);
    assert_eq!(map(&process, "gid"), ["0 100000 65536"]);
    assert_eq!(process.status("Uid"), four_times(100_000));
    assert_eq!(process.status("Gid"), four_times(100_000));
    assert_eq!(process.status("Groups"), "");
    let launchers = witness::process::status(process.launcher(), "Groups");
    assert_eq!(launchers.as_deref(), Some("4242"), "the control");
    // All of root's powers, but only over what belongs to its namespaces.
    assert_eq!(process.status("CapEff"), every_capability());
    assert_eq!(process.end().status, 0);
    // The control: out here, numbers stand for themselves.
    let own = std::fs::read_to_string("/proc/self/uid_map").expect("read it");
    assert!(!own.contains("100000"), "{own}");
}

#[test]
fn root_with_a_person_behind_it_is_that_person() {
    let _machine = Machine::new();
    let files = Covers::new();
    files.cover("/etc/passwd", "person:x:1500:1600::/:/bin/sh\n");
    files.cover("/etc/subuid", "other:1:1\nperson:300000:1000\n");
    files.cover("/etc/subgid", "1500:400000:500\n");
    let process = start("env", &as_sudo(&[]), "");
    assert_eq!(map(&process, "uid"), ["0 1500 1", "1 300000 1000"]);
    assert_eq!(map(&process, "gid"), ["0 1600 1", "1 400000 500"]);
    assert_eq!(process.status("Uid"), four_times(1500));
    assert_eq!(process.status("Gid"), four_times(1600));
    process.end();
    // The control: nothing is set aside for this person.
    files.cover("/etc/subuid", "other:300000:1000\n");
    files.cover("/etc/subgid", "");
    let process = start("env", &as_sudo(&[]), "");
    assert_eq!(map(&process, "uid"), ["0 1500 1"]);
    assert_eq!(map(&process, "gid"), ["0 1600 1"]);
    process.end();
}

#[test]
fn root_behind_root_is_nobody() {
    let _machine = Machine::new();
    let flags = ["SUDO_UID=0", "SUDO_GID=0", STEP06, "-q"];
    let flags = [&flags[..], &["--network", "none"]].concat();
    let process = start("env", &flags, "");
    assert_eq!(map(&process, "uid"), ["0 100000 65536"]);
    process.end();
}

#[test]
fn the_flags_have_the_last_word() {
    let _machine = Machine::new();
    let uids = ["--uid-map", "0:5000:1", "--uid-map", "7:6000:10"];
    let gids = ["--gid-map", "0:7000:3"];
    let process = start("env", &as_root(&[&uids[..], &gids].concat()), "");
    assert_eq!(map(&process, "uid"), ["0 5000 1", "7 6000 10"]);
    assert_eq!(map(&process, "gid"), ["0 7000 3"]);
    assert_eq!(process.status("Uid"), four_times(5000));
    assert_eq!(process.status("Gid"), four_times(7000));
    process.end();
}

#[test]
fn the_ledger_tells_who_root_is() {
    let _machine = Machine::new();
    let files = Covers::new();
    files.cover("/etc/passwd", "person:x:1500:1600::/:/bin/sh\n");
    let command = ["--network", "none", "true"];
    let ledger = |uid_map| {
        let flags = [STEP06, "--uid-map", uid_map];
        run("env", &[&flags[..], &command].concat()).stderr
    };
    let line = "blind  users     root inside is uid 100000 outside, of 65536";
    let text = ledger("0:100000:65536");
    assert!(text.contains(line), "{text}");
    let text = ledger("0:1500:1");
    let line = "root inside is person, uid 1500 outside, nobody else is\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_map_without_root_is_refused() {
    let _machine = Machine::new();
    for (flag, what) in [("--uid-map", "user"), ("--gid-map", "group")] {
        let flags = [flag, "1:100000:10", "echo", "ran"];
        let report = run("env", &as_root(&flags));
        assert_eq!(report.status, 125, "{}", report.stderr);
        let error = format!("no {what} outside is root inside");
        assert!(report.stderr.contains(&error), "{}", report.stderr);
        assert_eq!(report.stdout, "", "the command was not to run");
    }
}

#[test]
fn the_kernel_refuses_ranges_that_overlap() {
    let _machine = Machine::new();
    for second in ["5:200000:10", "20:100005:10"] {
        let maps = ["--uid-map", "0:100000:10", "--uid-map", second];
        let flags = [&maps[..], &["echo", "ran"]].concat();
        let report = run("env", &as_root(&flags));
        assert_eq!(report.status, 125, "{second}: {}", report.stderr);
        assert!(report.stderr.contains("uid_map: Invalid argument"));
        assert!(report.stderr.contains("overlap"), "{}", report.stderr);
        assert_eq!(report.stdout, "", "the command was not to run");
    }
    // The control: ranges that do not.
    let maps = ["--uid-map", "0:100000:10", "--uid-map", "20:200000:10"];
    let report = run("env", &as_root(&[&maps[..], &["true"]].concat()));
    assert_eq!(report.status, 0, "{}", report.stderr);
}

#[test]
fn what_is_no_map_is_refused() {
    let _machine = Machine::new();
    for map in ["0", "0:1", "0:1:0", "0:1:2:3", "a:1:1", "0:4294967295:2"] {
        let report = run("env", &as_root(&["--uid-map", map, "true"]));
        assert_eq!(report.status, 2, "{map}: {}", report.stderr);
        assert!(report.stderr.contains("--uid-map"), "{}", report.stderr);
    }
}
