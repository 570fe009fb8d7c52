//! Version and processor.

use super::finding::{ALL, Finding};
use super::machine::Machine;

/// What the rungs were written for: cgroup.kill (step07) is the newest that
/// they use, and earlier kernels were not tried.
const OLDEST: (u32, u32) = (5, 14);

/// The processors that step08's seccomp filter and the images know.
const PROCESSORS: [&str; 3] = ["x86_64", "aarch64", "i686"];

/// Two findings.
pub fn look(machine: &Machine) -> Vec<Finding> {
    vec![version(machine), processor(machine)]
}

fn version(machine: &Machine) -> Finding {
    let text = format!("Linux {}", machine.release);
    if machine.version().is_some_and(|version| version >= OLDEST) {
        return Finding::fine("kernel", ALL, text);
    }
    let (major, minor) = OLDEST;
    let text = format!("{text} is too old: it takes {major}.{minor}");
    // The virtual machine brings a kernel of its own.
    Finding::missing("kernel", ALL, text)
        .mend("scripts/vm cargo run -p step03   (or upgrade the distribution)")
}

fn processor(machine: &Machine) -> Finding {
    let name = machine.processor();
    if PROCESSORS.contains(&name.as_str()) {
        return Finding::fine("processor", ALL, name);
    }
    let text = format!("{name}: the rungs know x86_64, aarch64 and i686 only");
    Finding::missing("processor", ALL, text)
        .mend("another machine: one with a 64-bit kernel, PC or ARM")
}
