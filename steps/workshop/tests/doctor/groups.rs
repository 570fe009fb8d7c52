//! Control groups in all their versions.

use super::machine::{MOUNTS, Machine, STATUS};

const V1: &str = "\
32 26 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
33 32 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";
const HYBRID: &str = "\
34 32 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

/// The good machine with these groups instead.
fn with(groups: &str) -> Machine {
    let others = MOUNTS.lines().filter(|line| !line.contains("cgroup"));
    let others: Vec<&str> = others.collect();
    let machine = Machine::good();
    let text = format!("{}\n{groups}", others.join("\n"));
    machine.write("/proc/self/mountinfo", &text);
    machine
}

#[test]
fn version_1_and_hybrid_leave_step07_without_handcuffs() {
    let hybrid = format!("{V1}{HYBRID}");
    for (groups, word) in [(V1, "version 1"), (&hybrid, "hybrid"), ("", "not")]
    {
        let report = with(groups).doctor();
        assert_eq!(report.blocked(), "7", "{word}");
        let mend = "cargo workshop check 7 --vm   (or scripts/vm, to";
        let text = report.says("cgroups", "missing", mend);
        assert!(text.starts_with(word), "{text}");
    }
}

#[test]
fn in_windows_it_is_another_file_that_brings_version_2() {
    let machine = with(V1);
    machine.release("5.15.153.1-microsoft-standard-WSL2");
    let report = machine.doctor();
    let text = report.says("cgroups", "missing", "wsl --shutdown");
    assert!(text.contains(".wslconfig"), "{text}");
}

#[test]
fn version_2_without_the_controllers_that_step07_takes() {
    let file = "/sys/fs/cgroup/cgroup.controllers";
    let report = Machine::good().write(file, "cpuset cpu io pids\n").doctor();
    assert_eq!(report.blocked(), "7-last");
    let text = report.says("cgroups", "missing", "scripts/vm");
    assert!(text.contains("without memory: only cpuset cpu"), "{text}");

    // Those that only a flag needs.
    let report = Machine::good().write(file, "cpu memory pids\n").doctor();
    assert_eq!(report.blocked(), "");
    report.says("cgroups", "note", "");
}

#[test]
fn version_2_that_nobody_may_write_to() {
    let mounts = MOUNTS.replace("cgroup rw,relatime", "cgroup ro,relatime");
    let machine = Machine::good();
    let report = machine.write("/proc/self/mountinfo", &mounts).doctor();
    assert_eq!(report.blocked(), "7-last");
    report.says("cgroups", "missing", "scripts/vm");
}

#[test]
fn a_containers_group_hands_nothing_down_while_it_holds_processes() {
    let machine = Machine::good();
    let file = |name: &str, text| {
        machine.write(&format!("/sys/fs/cgroup/{name}"), text);
    };
    file("cgroup.procs", "1\n2034\n");
    file("cgroup.subtree_control", "\n");
    machine.doctor().says("cgroups", "fine", "");
    file("cgroup.type", "domain\n");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "7-last");
    let text = report.says("cgroups", "missing", "scripts/vm");
    assert!(text.contains("container's group"), "{text}");
    // They were moved to a leaf; or its children have controllers already.
    file("cgroup.procs", "");
    machine.doctor().says("cgroups", "fine", "");
    file("cgroup.procs", "1\n");
    file("cgroup.subtree_control", "cpu memory pids\n");
    machine.doctor().says("cgroups", "fine", "");
}

#[test]
fn rootless_takes_a_group_of_ones_own() {
    // The folders of this test belong to whoever runs it.
    let uid = nix::unistd::geteuid().as_raw().max(1);
    let machine = Machine::good();
    let group = "/sys/fs/cgroup/user.slice/user-1000.slice/a.scope";
    let file = format!("{group}/cgroup.controllers");
    machine.write(&file, "memory pids\n");
    let mend = "systemd-run --user --scope -p Delegate=yes";
    machine.doctor().says("delegation", "note", mend);
    // Part of it is given to that user; then all of it.
    let status = STATUS.replace("1000", &uid.to_string());
    machine.write("/proc/self/status", &status);
    let folder = machine.path(group);
    std::os::unix::fs::chown(folder, Some(uid), None).unwrap();
    let report = machine.doctor();
    let text = report.says("delegation", "note", mend);
    assert!(text.contains("lacks cpu"), "{text}");
    machine.write(&file, "cpu memory pids\n");
    let report = machine.doctor();
    let findings = report.0["findings"].as_array().unwrap();
    let mut subjects = findings.iter().map(|found| &found["subject"]);
    assert!(subjects.all(|subject| subject != "delegation"), "{report:?}");
}
