//! Whether the doctor itself is in a container, and whose.

use super::machine::Machine;

/// The first namespaces of each kind have fixed numbers (PROC_*_INIT_INO in
/// the kernel's include/linux/proc_ns.h). A process in any other is in a
/// container, or was put there with `unshare`.
const FIRST: [(&str, u64); 5] = [
    ("pid", 0xEFFF_FFFC),
    ("cgroup", 0xEFFF_FFFB),
    ("uts", 0xEFFF_FFFE),
    ("ipc", 0xEFFF_FFFF),
    ("user", 0xEFFF_FFFD),
];

/// Files that container managers leave inside.
const FILES: [(&str, &str); 2] =
    [("/run/.containerenv", "Podman"), ("/.dockerenv", "Docker")];

/// Words in the path of the control group, if that is not hidden.
const GROUPS: [(&str, &str); 5] = [
    ("libpod", "Podman"),
    ("kubepods", "Kubernetes"),
    ("docker", "Docker"),
    ("lxc", "LXC"),
    ("machine.slice", "systemd-nspawn"),
];

/// Is it in namespaces of its own? Only the kernel can tell.
#[must_use]
pub fn is_inside(machine: &Machine) -> bool {
    let own = |(kind, number): (&str, u64)| {
        machine.own().namespace(kind).is_ok()
            && !machine.is_first(kind, number)
    };
    FIRST.into_iter().any(own)
}

/// Whose container it seems to be, by what is around. Hints, not proof.
#[must_use]
pub fn maker(machine: &Machine) -> Option<String> {
    let file = FILES.iter().find(|(file, _)| machine.has(file));
    if let Some((_, name)) = file {
        return Some((*name).into());
    }
    // systemd writes down what its manager says that it is in.
    if let Some(name) = machine.read("/run/systemd/container") {
        return Some(name);
    }
    let groups = machine.own().read("cgroup").unwrap_or_default();
    let group = GROUPS.iter().find(|(word, _)| groups.contains(word));
    group.map(|(_, name)| (*name).into())
}

/// How to get one with all of root's powers and an open /proc, or get out.
#[must_use]
pub fn mend(machine: &Machine) -> &'static str {
    match maker(machine).as_deref() {
        Some("Docker") if is_inside(machine) => "docker run --privileged …",
        Some("Podman") if is_inside(machine) => "podman run --privileged …",
        _ => "run the workshop on the machine itself, outside this sandbox",
    }
}
