//! The blindfolds: does the kernel have them, and how many may there be?

use super::finding::{Finding, Rungs};
use super::machine::Machine;

/// Each kind with its first rung, its option, and what it is called in
/// /proc/PID/ns and in /proc/sys/user.
const KINDS: [(u8, &str, &str); 8] = [
    (1, "uts", "CONFIG_UTS_NS"),
    (2, "pid", "CONFIG_PID_NS"),
    (3, "mnt", "CONFIG_NAMESPACES"),
    (5, "net", "CONFIG_NET_NS"),
    (6, "user", "CONFIG_USER_NS"),
    (9, "ipc", "CONFIG_IPC_NS"),
    (9, "cgroup", "CONFIG_CGROUPS"),
    (9, "time", "CONFIG_TIME_NS"),
];

const SUBJECT: &str = "namespaces";

/// One for each kind that there is something to say about, or one for all.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let kinds = KINDS.iter();
    let found: Vec<_> =
        kinds.filter_map(|kind| wrong(machine, kind)).collect();
    if found.is_empty() {
        let text = "all 8 kinds: uts pid mnt net user ipc cgroup time";
        return vec![Finding::fine(SUBJECT, Rungs::from(1), text)];
    }
    found
}

fn wrong(machine: &Machine, kind: &(u8, &str, &str)) -> Option<Finding> {
    let &(first, kind, option) = kind;
    let rungs = Rungs::from(first);
    if machine.own().namespace(kind).is_err() {
        let text = format!("this kernel has no {kind} namespace ({option})");
        // step09 needs the time namespace for one of its flags only.
        return Some(match kind {
            "time" => Finding::note(SUBJECT, Rungs::only(first), text).mend(
                "scripts/vm cargo run -p step09 -- --boottime-offset 60",
            ),
            _ => Finding::missing(SUBJECT, rungs, text)
                .mend(format!("scripts/vm cargo run -p step{first:02}")),
        });
    }
    let limit = format!("user.max_{kind}_namespaces");
    let path = format!("/proc/sys/{}", limit.replace('.', "/"));
    if machine.number(&path) != Some(0) {
        return None;
    }
    let text = format!("{limit} is 0: nobody may make a {kind} namespace");
    let finding = match kind {
        "time" => Finding::note(SUBJECT, Rungs::only(first), text),
        _ => Finding::missing(SUBJECT, rungs, text),
    };
    Some(finding.mend(format!("sudo sysctl -w {limit}=10000")))
}
