//! Kernels: too old, for another processor, with parts left out.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::machine::{MOUNTS, Machine};

#[test]
fn on_a_good_machine_all_rungs_run() {
    let report = Machine::good().doctor();
    assert_eq!(report.blocked(), "", "{report:#?}");
    let findings = report.0["findings"].as_array().unwrap();
    let bad = findings.iter().filter(|found| found["state"] != "fine");
    let bad: Vec<_> = bad.map(|found| found["subject"].clone()).collect();
    // An ordinary user's group is the machine's, unless it was delegated; and
    // the disk is that of the machine which the test runs on.
    let known = |name: &_| name == "delegation" || name == "room";
    assert!(bad.iter().all(known), "{bad:?}");
}

#[test]
fn a_kernel_that_is_too_old() {
    let machine = Machine::good();
    machine.release("5.10.0-32-amd64");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "0-last");
    report.says("kernel", "missing", "scripts/vm cargo run");
    // The control: the oldest that is new enough.
    let machine = Machine::good();
    machine.release("5.14.0-503.el9.x86_64");
    assert_eq!(machine.doctor().blocked(), "");
}

#[test]
fn processors() {
    let arch = "/proc/sys/kernel/arch";
    let report = Machine::good().write(arch, "riscv64\n").doctor();
    assert_eq!(report.blocked(), "0-last");
    let text = report.says("processor", "missing", "64-bit");
    assert!(text.contains("riscv64"));
    for known in ["aarch64", "i686"] {
        assert_eq!(Machine::good().write(arch, known).doctor().blocked(), "");
    }
}

#[test]
fn overlayfs_as_a_module_or_in_the_kernel_or_nowhere() {
    let good = Machine::good().doctor();
    assert!(good.says("overlayfs", "fine", "").contains("module"));

    let machine = Machine::good();
    machine.write("/proc/filesystems", "nodev\toverlay\nnodev\tmqueue\n");
    assert!(!machine.doctor().says("overlayfs", "fine", "").contains("mod"));

    // Modules that are gone: the kernel was upgraded under our feet.
    let machine = Machine::good();
    let modules = "/lib/modules/6.12.9-amd64/modules.dep";
    machine.replace(modules, "overlay.ko", "other.ko");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "4-last");
    report.says("overlayfs", "missing", "sudo reboot");

    // The module is there, but the kernel loads no more of them.
    let machine = Machine::good();
    machine.write("/proc/sys/kernel/modules_disabled", "1\n");
    assert_eq!(machine.doctor().blocked(), "4-last");

    // Nothing tells. The doctor says so, and goes on.
    let machine = Machine::good();
    let report = machine.remove("/lib/modules").doctor();
    report.says("overlayfs", "note", "modprobe overlay");
    report.says("network", "note", "modprobe -a veth");
    assert_eq!(report.blocked(), "");
}

#[test]
fn a_kernel_without_its_own_config_has_it_in_boot() {
    let machine = Machine::good();
    machine.remove("/lib/modules");
    let config = "/boot/config-6.12.9-amd64";
    machine.write(config, "CONFIG_OVERLAY_FS=y\nCONFIG_VETH=m\n");
    let report = machine.doctor();
    report.says("overlayfs", "fine", "");
    // A module without its file, and an option that is not set.
    let text = report.says("network", "missing", "scripts/vm");
    assert!(text.contains("veth, nf_tables, nft_masq"), "{text}");
    assert_eq!(report.blocked(), "5-last");
}

#[test]
fn a_kernel_that_has_its_config_inside() {
    let machine = Machine::good();
    machine.remove("/lib/modules");
    let pack = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        std::fs::write(
            machine.path("/proc/config.gz"),
            gzip.finish().unwrap(),
        )
        .unwrap();
    };
    let all = "CONFIG_OVERLAY_FS=y\nCONFIG_VETH=y\nCONFIG_NF_TABLES=y\n\
               CONFIG_NFT_MASQ=y\n";
    pack(all);
    let report = machine.doctor();
    assert_eq!(report.blocked(), "");
    report.says("network", "fine", "");
    pack(
        &all.replace("CONFIG_OVERLAY_FS=y", "# CONFIG_OVERLAY_FS is not set"),
    );
    assert_eq!(machine.doctor().blocked(), "4-last");
}

#[test]
fn the_working_folder_on_an_overlay_or_on_a_share() {
    let machine = Machine::good();
    let mounts = "/proc/self/mountinfo";
    let report = machine.replace(mounts, "- ext4", "- overlay").doctor();
    assert_eq!(report.blocked(), "");
    report.says("folder", "note", "df -T");
    machine.write(mounts, &MOUNTS.replace("- ext4", "- 9p"));
    machine.doctor().says("folder", "note", "cp -r");
}

#[test]
fn namespaces_that_are_missing_or_used_up() {
    let report = Machine::good().remove("/proc/self/ns/user").doctor();
    assert_eq!(report.blocked(), "6-last");
    let report = Machine::good().remove("/proc/self/ns/time").doctor();
    assert_eq!(report.blocked(), "", "only a flag of step09 takes it");
    report.says("namespaces", "note", "scripts/vm");

    let limit = "/proc/sys/user/max_user_namespaces";
    let report = Machine::good().write(limit, "0\n").doctor();
    assert_eq!(report.blocked(), "6-last");
    let mend = "sudo sysctl -w user.max_user_namespaces=";
    report.says("namespaces", "missing", mend);
}

#[test]
fn what_the_upper_rungs_ask_for() {
    let machine = Machine::good();
    let report = machine.remove("/proc/sys/kernel/seccomp").doctor();
    assert_eq!(report.blocked(), "8-last");

    let report = Machine::good().write("/proc/filesystems", "x\n").doctor();
    assert_eq!(report.blocked(), "9-last", "no message queues");

    let memfd = "/proc/sys/vm/memfd_noexec";
    let report = Machine::good().write(memfd, "2\n").doctor();
    assert_eq!(report.blocked(), "10-last");
    report.says("memfd", "missing", "sudo sysctl -w vm.memfd_noexec=1");
    assert_eq!(Machine::good().write(memfd, "1\n").doctor().blocked(), "");
}

#[test]
fn without_apparmor_step10_runs_and_its_flag_does_not() {
    let machine = Machine::good();
    machine.remove("/sys/module/apparmor");
    machine.write("/sys/kernel/security/lsm", "capability,yama");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "");
    let text = report.says("labels", "note", "scripts/vm cargo run -p step10");
    assert!(text.contains("capability, yama"), "{text}");
    machine.write("/sys/fs/selinux/enforce", "1");
    assert!(machine.doctor().says("labels", "fine", "").contains("SELinux"));
    let report = Machine::good().remove("/sbin/apparmor_parser").doctor();
    report.says("labels", "note", "sudo apt install apparmor");
}

#[test]
fn packets_that_docker_would_drop_or_nobody_would_carry() {
    let machine = Machine::good();
    machine.write("/sys/class/net/docker0/mtu", "1500");
    machine.write("/proc/net/route", "Iface\tDestination\n");
    let report = machine.doctor();
    report.says("firewall", "note", "DOCKER-USER");
    report.says("route", "note", "");
    assert_eq!(report.blocked(), "");
}
