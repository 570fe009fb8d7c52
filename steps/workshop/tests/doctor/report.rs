//! What a learner reads.

use workshop::ladder::{LADDER, LAST};

use super::machine::Machine;

/// No line too wide for a narrow terminal, and no colour.
pub fn check(page: &str) {
    assert!(!page.contains('\u{1b}'), "{page}");
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "too long: {line}");
    }
}

#[test]
fn the_summary_comes_last() {
    let page = Machine::good().page();
    check(&page);
    let all = format!("All {} rungs run here.\n", LADDER.len());
    assert!(page.ends_with(&all), "{page}");
    assert!(!page.contains("MISSING"), "{page}");
}

#[test]
fn each_rung_that_does_not_run_comes_with_one_command() {
    let machine = Machine::good();
    machine.write("/sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    machine.write("/proc/sys/vm/memfd_noexec", "2\n");
    let page = machine.page();
    check(&page);
    let (_, rungs) = page.split_once("which rungs run:\n").unwrap();
    let count = LADDER.len();
    let wanted = format!(
        "  step00 … step06     yes
  step07 … step09     NO: cgroups
           try: cargo workshop check 7 --vm   (or scripts/vm, to look around)
  step10 … step{LAST:02}     NO: cgroups, memfd
           try: cargo workshop check 7 --vm   (or scripts/vm, to look around)
7 of {count} rungs run here.
"
    );
    assert_eq!(rungs, wanted);
}

#[test]
fn commands_are_whole_lines() {
    // As many findings as one machine can have at once.
    let machine = Machine::good();
    let switch = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    machine.write(switch, "1").remove("/usr/bin/sudo");
    machine.remove("/usr/bin/mmdebstrap").remove("/usr/bin/busybox");
    machine.remove("/proc/self/ns/time").remove("/sbin/apparmor_parser");
    machine.write("/sys/class/net/docker0/mtu", "1500");
    let page = machine.page();
    check(&page);
    let report = machine.doctor();
    for found in report.0["findings"].as_array().unwrap() {
        let Some(mend) = found["mend"].as_str() else { continue };
        let line = format!("try: {mend}");
        let fits = page.lines().any(|found| found.trim() == line);
        assert!(fits, "{line} is broken in {page}");
    }
}
