//! Programs that the workshop uses beside the rungs.

use step03::rootfs::Source;

use super::finding::{Finding, Rungs};
use super::machine::Machine;

/// What `scripts/vm` is made with: program or file, and Debian's package, as
/// in scripts/packages.
const VM: [(&str, &str); 6] = [
    ("mmdebstrap", "mmdebstrap"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
    ),
    ("fakeroot", "fakeroot"),
    ("newuidmap", "uidmap"),
    ("mke2fs", "e2fsprogs"),
    ("setpriv", "util-linux"),
];

/// No rung fails for want of one of these: there is a way without each.
pub fn look(machine: &Machine) -> Vec<Finding> {
    vec![busybox(machine), vm(machine)]
}

fn busybox(machine: &Machine) -> Finding {
    let (subject, rungs) = ("busybox", Rungs::from(3));
    let found = match machine.is_real() {
        true => matches!(Source::find(), Source::Busybox(_)),
        false => machine.find("busybox").is_some(),
    };
    if found {
        return Finding::fine(
            subject,
            rungs,
            "a static one: on first need target/rootfs is made of it",
        );
    }
    let text = "no static one: containers get copies of the machine's own \
                programs, which is slower to make and larger";
    Finding::note(subject, rungs, text).mend(machine.install("busybox-static"))
}

fn vm(machine: &Machine) -> Finding {
    let (subject, rungs) = ("scripts/vm", Rungs::only(7));
    let processor = machine.processor();
    let (qemu, package) = match processor.as_str() {
        "aarch64" => ("qemu-system-aarch64", "qemu-system-arm"),
        "i686" => ("qemu-system-i386", "qemu-system-x86"),
        _ => ("qemu-system-x86_64", "qemu-system-x86"),
    };
    let mut lost: Vec<&str> = Vec::new();
    if machine.find(qemu).is_none() {
        lost.push(package);
    }
    let tools = VM.iter().filter(|(tool, _)| match tool.starts_with('/') {
        true => !machine.has(tool),
        false => machine.find(tool).is_none(),
    });
    lost.extend(tools.map(|(_, package)| *package));
    if lost.is_empty() {
        let text = "everything for a machine of its own, with cgroup v2";
        return Finding::fine(subject, rungs, text);
    }
    let text = "not everything is here for a virtual machine, which helps \
                where this one does not";
    Finding::note(subject, rungs, text).mend(machine.install(&lost.join(" ")))
}
