//! step10 from outside: what is left of root's powers, as the kernel says.

use std::fs;

use witness::{Covers, Machine, Report, Running, mount_at, run, start};

const STEP10: &str = env!("CARGO_BIN_EXE_step10");
const NONE: [&str; 2] = ["--network", "none"];

/// Docker's fourteen, as bits.
const FOURTEEN: &str = "00000000a80425fb";
const EMPTY: &str = "0000000000000000";
/// The bit of CAP_NET_RAW, which has the number 13.
const NET_RAW: &str = "0000000000002000";

/// The arguments of env(1) that start step10 with nobody behind it, whoever
/// has typed sudo: then 65536 numbers are mapped, from 100000 on.
const ALONE: [&str; 5] = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP10];

fn begin(flags: &[&str]) -> Running {
    start("env", &[&ALONE, &NONE[..], flags].concat(), "")
}

fn step10(flags: &[&str], script: &str) -> Report {
    let command = ["--", "sh", "-c", script];
    run("env", &[&ALONE[..], &["-q"], &NONE[..], flags, &command].concat())
}

/// Effective, permitted, inheritable, ambient, bounding.
fn sets(process: &Running) -> [String; 5] {
    ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"]
        .map(|field| process.status(field))
}

/// Every capability that this kernel has.
fn every() -> String {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap");
    let last: u32 = last.expect("read it").trim().parse().expect("a number");
    format!("{:016x}", (2u64 << last) - 1)
}

#[test]
fn root_has_dockers_fourteen_and_can_get_no_more() {
    let _machine = Machine::new();
    let process = begin(&[]);
    assert_eq!(sets(&process), [FOURTEEN, FOURTEEN, EMPTY, EMPTY, FOURTEEN]);
    assert_eq!(process.status("NoNewPrivs"), "1");
    let ledger = process.end().stderr;
    for line in ["gagged powers    14 of 41", "gagged new privs"] {
        assert!(ledger.contains(line), "{ledger}");
    }
    let process = begin(&["--cap-add", "all", "--new-privs"]);
    let all = every();
    let all = all.as_str();
    assert_eq!(sets(&process), [all, all, EMPTY, EMPTY, all], "the control");
    assert_eq!(process.status("NoNewPrivs"), "0");
    let ledger = process.end().stderr;
    for line in ["FREE   powers    all 41", "FREE   new privs"] {
        assert!(ledger.contains(line), "{ledger}");
    }
}

#[test]
fn names_are_added_and_dropped() {
    let _machine = Machine::new();
    for (flags, expected) in [
        ("--cap-drop ALL", EMPTY),
        ("--cap-drop ALL --cap-add NET_RAW", NET_RAW),
        ("--cap-add cap_net_raw --cap-drop all", NET_RAW),
        ("--cap-drop net_raw", "00000000a80405fb"),
        ("--cap-add SYS_TIME", "00000000aa0425fb"),
    ] {
        let flags: Vec<&str> = flags.split(' ').collect();
        let process = begin(&flags);
        assert_eq!(process.status("CapEff"), expected, "{flags:?}");
        assert_eq!(process.status("CapBnd"), expected, "{flags:?}");
        process.end();
    }
    for name in ["NET_ROW", "14", "CAP_CAP_CHOWN"] {
        let report = run(STEP10, &["--cap-add", name, "true"]);
        assert_eq!(report.status, 2, "{name}");
        assert!(report.stderr.contains("capabilities(7)"));
    }
}

#[test]
fn what_is_dropped_is_really_missing() {
    let _machine = Machine::new();
    let script = "touch /file; chown 7 /file";
    let report = step10(&["--cap-drop", "chown"], script);
    assert_ne!(report.status, 0);
    assert!(report.stderr.contains("not permitted"), "{}", report.stderr);
    assert_eq!(step10(&[], script).status, 0, "the control");
}

#[test]
fn another_user_has_no_powers_but_those_asked_for() {
    let _machine = Machine::new();
    let process = begin(&["--user", "1000:50"]);
    assert_eq!(sets(&process), [EMPTY, EMPTY, EMPTY, EMPTY, FOURTEEN]);
    assert_eq!(process.status("Uid"), four_times(101_000));
    assert_eq!(process.status("Gid"), four_times(100_050));
    assert_eq!(process.status("Groups"), "");
    let ledger = process.end().stderr;
    assert!(ledger.contains("uid 1000 inside, 101000 outside"), "{ledger}");

    let process = begin(&["--user", "1000", "--cap-add", "net_raw"]);
    assert_eq!(process.status("Gid"), four_times(100_000), "no line");
    let raw = NET_RAW;
    assert_eq!(sets(&process), [raw, raw, raw, raw, FOURTEEN]);
    process.end();
    // They survive one execve after the other, as root's do.
    let script = "exec sh -c 'grep CapEff /proc/self/status'";
    let flags = ["--user", "1000", "--cap-add", "net_raw", "--init"];
    let report = step10(&flags, script);
    assert_eq!(report.stdout, format!("CapEff:\t{raw}\n"), "{report:?}");
}

/// With another group, for one: it is root all the same.
#[test]
fn the_user_root_keeps_what_root_has() {
    let _machine = Machine::new();
    let process = begin(&["--user", "0:50"]);
    assert_eq!(sets(&process), [FOURTEEN, FOURTEEN, EMPTY, EMPTY, FOURTEEN]);
    assert_eq!(process.status("Uid"), four_times(100_000));
    assert_eq!(process.status("Gid"), four_times(100_050));
    process.end();
}

/// Who is whom outside depends on the person who has typed sudo.
#[test]
fn another_user_is_one_of_those_set_aside_for_the_person() {
    let _machine = Machine::new();
    let files = Covers::new();
    files.cover("/etc/passwd", "person:x:1500:1600::/:/bin/sh\n");
    files.cover("/etc/subuid", "person:300000:65536\n");
    files.cover("/etc/subgid", "person:400000:65536\n");
    let sudo = ["SUDO_UID=1500", "SUDO_GID=1600", STEP10];
    let user = ["--user", "1000:50"];
    let process = start("env", &[&sudo, &NONE[..], &user].concat(), "");
    assert_eq!(sets(&process), [EMPTY, EMPTY, EMPTY, EMPTY, FOURTEEN]);
    // Root inside is the person, 1 is the first of the range.
    assert_eq!(process.status("Uid"), four_times(300_999));
    assert_eq!(process.status("Gid"), four_times(400_049));
    let ledger = process.end().stderr;
    assert!(ledger.contains("uid 1000 inside, 300999 outside"), "{ledger}");
}

/// Real, effective, saved and filesystem number: all the same.
fn four_times(number: u32) -> String {
    format!("{number}\t{number}\t{number}\t{number}")
}

#[test]
fn a_user_who_is_not_in_the_map_is_an_error() {
    let _machine = Machine::new();
    let report = step10(&["--user", "70000"], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("--uid-map"), "{}", report.stderr);
    for text in ["1:", ":1", "-1", "4294967295"] {
        let report = run(STEP10, &["--user", text, "true"]);
        assert_eq!(report.status, 2, "{text}");
    }
    assert_eq!(step10(&["--user", "65535"], "true").status, 0, "the control");
}

#[test]
fn the_machines_files_are_masked_or_read_only() {
    let _machine = Machine::new();
    let process = begin(&[]);
    let at = |point| mount_at(process.pid, point);
    let settings = at("/proc/sys").expect("a mount of its own");
    assert_eq!(settings.kind, "proc");
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(settings.flags.iter().any(|f| f == flag), "{settings:?}");
    }
    let mask = at("/proc/timer_list").expect("a mask");
    assert_eq!(mask.root, "/null", "{mask:?}");
    let ledger = process.end().stderr;
    assert!(ledger.contains("gagged settings"), "{ledger}");

    let process = begin(&["--unmask"]);
    assert_eq!(mount_at(process.pid, "/proc/sys"), None, "the control");
    assert_eq!(mount_at(process.pid, "/proc/timer_list"), None);
    let ledger = process.end().stderr;
    assert!(ledger.contains("FREE   settings"), "{ledger}");
}

#[test]
fn a_masked_file_is_empty_for_every_reader() {
    let _machine = Machine::new();
    let map = "--uid-map 0:0:65536 --gid-map 0:0:65536";
    let map: Vec<&str> = map.split(' ').collect();
    // Real root could read it, were it not for the mask.
    let script = "head -c 9 /proc/timer_list | wc -c";
    assert_eq!(step10(&map, script).stdout, "0\n");
    let open = [&["--unmask"], &map[..]].concat();
    assert_eq!(step10(&open, script).stdout, "9\n", "the control");
}

#[test]
fn the_machines_groups_are_masked_where_its_sys_is_shown() {
    let _machine = Machine::new();
    let list = |more: &[&str]| {
        let flags = [&["--network", "host"], more].concat();
        let command = ["--", "sh", "-c", "ls /sys/fs/cgroup | wc -l"];
        run(STEP10, &[&flags[..], &command].concat())
    };
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    if unified.expect("look for cgroup v2") {
        // Its own group lies on them: there is nothing to be masked.
        let own = start(STEP10, &["-q", "--network", "host"], "");
        let place = mount_at(own.pid, "/sys/fs/cgroup").expect("a mount");
        assert_eq!(place.kind, "cgroup2");
        let shown = ["ls", "-d", "/sys/fs/cgroup/workshop"];
        let flags = ["-q", "--network", "host", "--unmask", "--"];
        assert_ne!(run(STEP10, &[&flags[..], &shown].concat()).status, 0);
        assert!(fs::exists(shown[2]).expect("look"), "the control");
        let end = own.end();
        assert_eq!(end.status, 0, "{}", end.stderr);
        return;
    }
    let (masked, open) = (list(&[]), list(&["--unmask"]));
    assert_eq!(masked.stdout, "0\n", "{}", masked.stderr);
    assert_ne!(open.stdout, "0\n", "the control");
    let sees = "SEES   cgroups   the machine's, in /sys/fs/cgroup";
    assert!(!masked.stderr.contains(sees), "{}", masked.stderr);
    assert!(open.stderr.contains(sees), "{}", open.stderr);
}

#[test]
fn limits_of_a_process_are_set() {
    let _machine = Machine::new();
    let flags = ["--rlimit", "nofile=30:40", "--rlimit", "core=0"];
    let process = begin(&flags);
    let limits = process.read("limits");
    let line = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name));
        let words = line.expect(name)[name.len()..].split_whitespace();
        words.take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("Max open files"), "30 40");
    assert_eq!(line("Max core file size"), "0 0");
    process.end();
    let script = "for i in 3 4 5 6 7 8 9; do eval \"exec $i</dev/null\"; done";
    assert_ne!(step10(&["--rlimit", "nofile=6"], script).status, 0);
    assert_eq!(step10(&[], script).status, 0, "the control");

    let report = step10(&["--rlimit", "nofile=9999999999"], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("only be lowered"), "{}", report.stderr);
    for text in ["nofile", "nofile=a", "files=1", "nofile=2:1"] {
        let report = run(STEP10, &["--rlimit", text, "true"]);
        assert_eq!(report.status, 2, "{text}");
    }
}

#[test]
fn a_module_that_the_kernel_lacks_is_a_clear_error() {
    let _machine = Machine::new();
    let lsm = std::fs::read_to_string("/sys/kernel/security/lsm");
    let lsm = lsm.unwrap_or_default();
    for (flag, module, advice) in [
        ("--apparmor", "apparmor", "no profile nonsense is loaded"),
        ("--selinux-label", "selinux", "ask for the context nonsense"),
    ] {
        let report = step10(&[flag, "nonsense"], "true");
        assert_eq!(report.status, 125, "{}", report.stderr);
        let expected = match lsm.contains(module) {
            true => advice,
            false => "is not in use here",
        };
        assert!(report.stderr.contains(expected), "{}", report.stderr);
    }
}
