//! The gags of step08, step09's queues, step10's labels.

use super::finding::{Finding, Rungs, State};
use super::machine::Machine;

/// What the upper rungs ask the kernel for.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let mut found = vec![seccomp(machine)];
    found.extend(queues(machine));
    found.push(labels(machine));
    found.extend(programs_in_memory(machine));
    found
}

fn seccomp(machine: &Machine) -> Finding {
    let rungs = Rungs::from(8);
    let path = "/proc/sys/kernel/seccomp/actions_avail";
    match machine.has(path) {
        true => Finding::fine("seccomp", rungs, "the kernel takes filters"),
        false => {
            let text = "no filters in this kernel (CONFIG_SECCOMP_FILTER)";
            Finding::missing("seccomp", rungs, text)
                .mend("scripts/vm cargo run -p step08")
        }
    }
}

fn queues(machine: &Machine) -> Option<Finding> {
    let known = machine.read("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.ends_with("\tmqueue")) {
        return None;
    }
    let text = "no message queues in this kernel (CONFIG_POSIX_MQUEUE)";
    Some(
        Finding::missing("queues", Rungs::from(9), text)
            .mend("scripts/vm cargo run -p step09"),
    )
}

/// step10 runs without; each of its two flags needs one of the two.
fn labels(machine: &Machine) -> Finding {
    let (subject, rungs) = ("labels", Rungs::from(10));
    let enabled = machine.read("/sys/module/apparmor/parameters/enabled");
    if enabled.as_deref() == Some("Y") {
        if machine.find("apparmor_parser").is_some() {
            let text = "AppArmor; cargo workshop apparmor loads the profile";
            return Finding::fine(subject, rungs, text);
        }
        return Finding::note(
            subject,
            rungs,
            "AppArmor, but not its compiler",
        )
        .mend(machine.install("apparmor"));
    }
    if machine.has("/sys/fs/selinux/enforce") {
        let text = "SELinux, for step10's --selinux-label";
        return Finding::fine(subject, rungs, text);
    }
    let list = machine.read("/sys/kernel/security/lsm");
    let list = match list {
        Some(list) => format!("the kernel asks {}", list.replace(',', ", ")),
        None => "their list is not to be seen here".into(),
    };
    let text = format!(
        "neither AppArmor nor SELinux is in use ({list}): step10's \
         --apparmor and --selinux-label have nobody to ask"
    );
    Finding { state: State::Note, ..Finding::fine(subject, rungs, text) }
        .mend("scripts/vm cargo run -p step10")
}

/// Without root step10 runs a sealed copy of itself from memory; 2 forbids it.
fn programs_in_memory(machine: &Machine) -> Option<Finding> {
    let switch = "vm.memfd_noexec";
    if machine.number("/proc/sys/vm/memfd_noexec") != Some(2) {
        return None;
    }
    let text = format!(
        "{switch} is 2: no program runs from memory, as step10's sealed copy \
         does without root (before Linux 6.6 only a restart lowers it)"
    );
    let mend = format!("sudo sysctl -w {switch}=1");
    Some(Finding::missing("memfd", Rungs::from(10), text).mend(mend))
}
