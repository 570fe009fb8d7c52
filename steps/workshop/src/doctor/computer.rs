//! Which computer the kernel runs on: a real one, or one made of software.
//!
//! The firmware names its maker (DMI, on PCs and servers), or the device tree
//! does (small boards, and some virtual machines); and a hypervisor sets a bit
//! in the processor's flags, and often offers a clock of its own.

use super::machine::Machine;

/// The firmware's words for maker and product, and what they mean. The first
/// row that fits counts.
const MAKERS: [(&str, &str, &str); 14] = [
    ("QEMU", "", "QEMU"),
    ("Red Hat", "KVM", "QEMU/KVM"),
    ("innotek", "", "VirtualBox"),
    ("Oracle", "VirtualBox", "VirtualBox"),
    ("VMware", "", "VMware"),
    ("Microsoft", "Virtual Machine", "Hyper-V"),
    ("Amazon EC2", ".metal", ""),
    ("Amazon EC2", "", "Amazon EC2"),
    ("Google", "Compute Engine", "Google Compute Engine"),
    ("Xen", "", "Xen"),
    ("Parallels", "", "Parallels"),
    ("Apple", "Virtualization", "Apple Virtualization"),
    ("DigitalOcean", "", "DigitalOcean"),
    ("Hetzner", "vServer", "Hetzner"),
];

/// The clocks that hypervisors offer.
const CLOCKS: [(&str, &str); 3] =
    [("kvm-clock", "KVM"), ("hyperv", "Hyper-V"), ("xen", "Xen")];

/// In words.
#[must_use]
pub fn look(machine: &Machine) -> String {
    let read = |name: &str| {
        let path = format!("/sys/class/dmi/id/{name}");
        machine.read(&path).map(|text| text.trim().to_owned())
    };
    let vendor = read("sys_vendor");
    let product = read("product_name").unwrap_or_default();
    let hypervisor = hypervisor(machine);
    if let Some(vendor) = vendor.filter(|vendor| !vendor.is_empty()) {
        return by_firmware(&vendor, &product, hypervisor);
    }
    if let Some(board) = by_device_tree(machine) {
        return board;
    }
    match hypervisor {
        Some("") => "a virtual machine that does not say which".into(),
        // No firmware at all: such a machine starts in a fraction of a second.
        Some(clock) => format!(
            "a virtual machine without firmware ({clock}), like Firecracker's"
        ),
        None => "a computer whose firmware does not say what it is".into(),
    }
}

fn by_firmware(
    vendor: &str,
    product: &str,
    hypervisor: Option<&'static str>,
) -> String {
    let row = MAKERS.iter().find(|(maker, model, _)| {
        vendor.starts_with(maker) && product.contains(model)
    });
    match (row, hypervisor) {
        // QEMU says the same, whether KVM runs the instructions or QEMU does.
        (Some((.., "QEMU")), Some("KVM")) => {
            "a virtual machine (QEMU/KVM)".into()
        }
        (Some((.., name)), _) if !name.is_empty() => {
            format!("a virtual machine ({name})")
        }
        (None, Some(clock)) => {
            let who = format!("{vendor} {product} {clock}");
            format!("a virtual machine ({})", who.trim())
        }
        _ => format!("bare metal ({})", format!("{vendor} {product}").trim()),
    }
}

/// The hypervisor, by its clock; empty where there is only the flag that all
/// hypervisors set on x86. `None`: neither, or another processor.
fn hypervisor(machine: &Machine) -> Option<&'static str> {
    let clocks = "/sys/devices/system/clocksource/clocksource0";
    let clocks = machine.read(&format!("{clocks}/available_clocksource"));
    let clocks = clocks.unwrap_or_default();
    let clock = CLOCKS.iter().find(|(clock, _)| clocks.contains(clock));
    let cpus = machine.read("/proc/cpuinfo").unwrap_or_default();
    let mut flags = cpus.lines().filter(|line| line.starts_with("flags"));
    let is_set = flags.any(|line| line.split(' ').any(|f| f == "hypervisor"));
    match clock {
        Some((_, name)) => Some(name),
        None => is_set.then_some(""),
    }
}

fn by_device_tree(machine: &Machine) -> Option<String> {
    let tree = "/proc/device-tree";
    if let Some(kind) = machine.read(&format!("{tree}/hypervisor/compatible"))
    {
        let kind = kind.split('\0').next().unwrap_or_default();
        return Some(format!("a virtual machine ({kind})"));
    }
    let compatible = machine.read(&format!("{tree}/compatible"))?;
    if compatible.contains("linux,dummy-virt") {
        return Some("a virtual machine (QEMU's machine \"virt\")".into());
    }
    let model = machine.read(&format!("{tree}/model")).unwrap_or(compatible);
    Some(format!("bare metal ({model})"))
}
