//! Who may, and with which programs.

use std::fs;

use super::answer::Report;
use super::machine::{Machine, STATUS};

const FILE: &str = "/proc/self/status";

/// Root in a container that Docker made without flags.
const DOCKERS_ROOT: &str = "Uid:\t0\t0\t0\t0\n\
    CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\n";

#[test]
fn without_sudo_only_step00_runs() {
    let report = Machine::good().remove("/usr/bin/sudo").doctor();
    assert_eq!(report.blocked(), "1-last");
    let text = report.says("root", "missing", "su -c 'apt install sudo'");
    assert!(text.contains("step06 -- --rootless"), "{text}");
    // Root needs none.
    let machine = Machine::good();
    machine.remove("/usr/bin/sudo");
    let root = STATUS.replace("1000", "0");
    let root = root.replace("CapEff:\t000000", "CapEff:\t0001ff");
    let root = root.replace("ff0000000000", "ffffffffffff");
    assert_eq!(machine.write(FILE, &root).doctor().blocked(), "");
}

#[test]
fn where_sudo_cannot_work() {
    let status = STATUS.replace("NoNewPrivs:\t0", "NoNewPrivs:\t1");
    let report = Machine::good().write(FILE, &status).doctor();
    assert_eq!(report.blocked(), "1-last");
    assert!(report.says("root", "missing", "").contains("no_new_privs"));
}

#[test]
fn root_without_its_powers() {
    let report = Machine::good().write(FILE, DOCKERS_ROOT).doctor();
    assert_eq!(report.blocked(), "1-last");
    let text = report.says("powers", "missing", "the machine itself");
    assert!(text.ends_with("CAP_SYS_ADMIN, CAP_NET_ADMIN"), "{text}");
    // All capabilities but one: that for the network.
    let status =
        STATUS.replace("CapBnd:\t000001ffffffffff", "CapBnd:\tffffefff");
    let report = Machine::good().write(FILE, &status).doctor();
    assert_eq!(report.blocked(), "5-last");
}

#[test]
fn user_namespaces_that_are_not_for_everybody() {
    for (switch, closed, mend) in [
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
    ] {
        let machine = Machine::good();
        machine.write(&format!("/proc/sys/{switch}"), closed);
        let report = machine.doctor();
        report.says("rootless", "note", mend);
        assert_eq!(report.blocked(), "", "root may");
    }
    let report = Machine::good().doctor();
    report.says("rootless", "fine", "");
}

#[test]
fn programs_that_help() {
    let machine = Machine::good();
    machine.remove("/usr/bin/busybox").remove("/usr/bin/newuidmap");
    machine.remove("/usr/bin/qemu-system-x86_64");
    machine.remove("/usr/bin/mmdebstrap");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "");
    report.says("busybox", "note", "sudo apt install busybox-static");
    report.says("rootless", "note", "sudo apt install uidmap");
    let mend = "sudo apt install qemu-system-x86 mmdebstrap";
    report.says("scripts/vm", "note", mend);
    // Elsewhere packages have other names.
    machine.write("/etc/os-release", "ID=fedora\n");
    machine.doctor().says("busybox", "note", "what Debian calls busybox");
    machine.write("/etc/os-release", "ID=pop\nID_LIKE=\"ubuntu debian\"\n");
    machine.doctor().says("busybox", "note", "sudo apt install");
}

#[test]
fn a_full_disk() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: no small disk can be mounted");
        return;
    }
    let machine = Machine::good();
    let disk = machine.path("/disk");
    fs::create_dir(&disk).unwrap();
    // The workshop's folder is the one above the program's.
    let script = "mount -t tmpfs -o size=$1 none $2 && mkdir $2/debug \
                  && cp $3 $2/debug/ && $2/debug/workshop doctor --json \
                  --root $4";
    let room = |size: &str| {
        let mut command = witness::command("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", size]);
        command.arg(&disk).arg(env!("CARGO_BIN_EXE_workshop"));
        Report::read(&command.arg(&machine.root).output().unwrap())
    };
    let report = room("100m");
    assert_eq!(report.blocked(), "0-last");
    report.says("room", "missing", "cargo clean");
    let report = room("800m");
    assert_eq!(report.blocked(), "");
    report.says("room", "note", "");
}
