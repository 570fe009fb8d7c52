//! Where am I?

use super::machine::{MOUNTS, Machine};

const FLAGS: &str = "flags\t\t: fpu hypervisor sse2\n";
const CLOCKS: &str =
    "/sys/devices/system/clocksource/clocksource0/available_clocksource";

fn here(machine: &Machine) -> String {
    let report = machine.doctor();
    assert_eq!(report.blocked(), "");
    report.of("here").1.to_owned()
}

#[test]
fn a_computer() {
    assert_eq!(here(&Machine::good()), "bare metal (LENOVO 21HMCTO1WW)");
}

#[test]
fn virtual_machines_by_their_firmware() {
    for (vendor, product, clock, wanted) in [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "kvm-clock", "QEMU/KVM"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "hpet", "QEMU"),
        ("innotek GmbH", "VirtualBox", "tsc", "VirtualBox"),
        ("VMware, Inc.", "VMware Virtual Platform", "tsc", "VMware"),
        (
            "Microsoft Corporation",
            "Virtual Machine",
            "hyperv_clock",
            "Hyper-V",
        ),
        ("Amazon EC2", "t3.micro", "kvm-clock", "Amazon EC2"),
        ("ACME", "Cloud", "kvm-clock", "ACME Cloud KVM"),
    ] {
        let machine = Machine::good();
        machine.write("/proc/cpuinfo", FLAGS).write(CLOCKS, clock);
        machine.write("/sys/class/dmi/id/sys_vendor", vendor);
        machine.write("/sys/class/dmi/id/product_name", product);
        let wanted = format!("a virtual machine ({wanted})");
        assert_eq!(here(&machine), wanted);
    }
    // Computers of the same maker that are not virtual machines.
    let machine = Machine::good();
    machine.write("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation");
    machine.write("/sys/class/dmi/id/product_name", "Surface Laptop 5");
    assert!(here(&machine).starts_with("bare metal"));
}

#[test]
fn virtual_machines_without_firmware() {
    let machine = Machine::good();
    machine.remove("/sys/class/dmi");
    assert!(here(&machine).contains("does not say what it is"));
    machine.write("/proc/cpuinfo", FLAGS);
    assert!(here(&machine).contains("does not say which"));
    machine.write(CLOCKS, "tsc kvm-clock");
    assert!(here(&machine).contains("like Firecracker's"));
}

#[test]
fn arm_without_firmware_has_a_device_tree() {
    let machine = Machine::good();
    machine.remove("/sys/class/dmi").write("/proc/cpuinfo", "Features: fp\n");
    machine.write("/proc/sys/kernel/arch", "aarch64\n");
    assert!(here(&machine).contains("does not say what it is"));
    let tree = "/proc/device-tree";
    machine.write(&format!("{tree}/compatible"), "raspberrypi,4\0brcm\0");
    machine.write(&format!("{tree}/model"), "Raspberry Pi 4 Model B\0");
    assert_eq!(here(&machine), "bare metal (Raspberry Pi 4 Model B)");
    machine.write(&format!("{tree}/compatible"), "linux,dummy-virt\0");
    assert!(here(&machine).contains("QEMU"));
    let file = format!("{tree}/hypervisor/compatible");
    machine.write(&file, "xen,xen-4.17\0xen,xen\0");
    assert_eq!(here(&machine), "a virtual machine (xen,xen-4.17)");
}

#[test]
fn windows() {
    let machine = Machine::good();
    machine.release("4.4.0-19041-Microsoft");
    let report = machine.doctor();
    assert_eq!(report.blocked(), "0-last");
    report.says("here", "missing", "wsl --set-version");

    let machine = Machine::good();
    machine.release("5.15.153.1-microsoft-standard-WSL2");
    // All distributions are in namespaces of one machine.
    machine.space("pid", 4026532249);
    assert!(here(&machine).starts_with("WSL2"));
    machine.write("/.dockerenv", "");
    let text = here(&machine);
    assert_eq!(text, "a container already (Docker), in WSL2");
}

#[test]
fn docker_desktop() {
    let machine = Machine::good();
    machine.release("6.10.14-linuxkit");
    assert!(here(&machine).contains("Docker Desktop"));
    machine.space("pid", 4026532249).write("/.dockerenv", "");
    let text = here(&machine);
    assert!(text.starts_with("a container already (Docker)"), "{text}");
    assert!(text.contains("linuxkit"), "{text}");
}

#[test]
fn containers_and_their_makers() {
    for (file, text, wanted) in [
        ("/.dockerenv", "", "Docker"),
        ("/run/.containerenv", "", "Podman"),
        ("/run/systemd/container", "lxc\n", "lxc"),
        ("/proc/self/cgroup", "1:cpu:/docker/4f2a\n", "Docker"),
        ("/proc/self/cgroup", "0::/machine.slice/libpod-4f.scope\n", "Podman"),
        ("/proc/self/cgroup", "0::/kubepods/besteffort/x\n", "Kubernetes"),
    ] {
        let machine = Machine::good();
        machine.space("pid", 4026532249).write(file, text);
        let report = machine.doctor();
        let text = report.says("here", "note", "on the machine itself");
        let wanted = format!("a container already ({wanted}), on bare metal");
        assert!(text.starts_with(&wanted), "{text}");
    }
    // Only a cgroup namespace (docker run --pid=host), and nobody's files.
    let machine = Machine::good();
    let report = machine.space("cgroup", 4026532249).doctor();
    let text = report.says("here", "note", "");
    assert!(text.starts_with("a container already, on bare"), "{text}");
    // Only the files: a machine that was made from an image.
    let machine = Machine::good();
    let text = here(machine.write("/.dockerenv", ""));
    assert!(text.ends_with("this is no container"), "{text}");
}

#[test]
fn a_container_that_covers_proc_lets_nobody_have_its_own() {
    let file = "/proc/self/mountinfo";
    let covers = "40 25 0:40 / /proc/acpi ro - tmpfs tmpfs ro\n";
    let machine = Machine::good();
    let report = machine.write(file, &format!("{MOUNTS}{covers}")).doctor();
    assert_eq!(report.blocked(), "6-last");
    report.says("proc", "missing", "on the machine itself");
    machine.space("pid", 4026532249).write("/.dockerenv", "");
    let mend = "docker run --privileged";
    machine.doctor().says("proc", "missing", mend);
}
