//! What is read back of a process that nothing was put on.

use anyhow::Result;

use crate::narrator::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger. Each rung adds its own to those below.
pub const LEDGER: &[Reader] = &[read];

/// The subjects that are namespaces, with the kernel's name for each.
const NAMESPACES: [(&str, &str, &str); 8] = [
    ("hostname", "uts", "the machine's own"),
    ("processes", "pid", "every process of the machine"),
    ("files", "mnt", "the machine's own"),
    ("network", "net", "the machine's interfaces"),
    ("users", "user", "root here is root everywhere"),
    ("ipc", "ipc", "shared memory and queues of the machine"),
    ("cgroups", "cgroup", "the machine's tree of control groups"),
    ("time", "time", "the machine's uptime"),
];

/// What can be said about any process, whichever rung made it.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (subject, kind, shared) in NAMESPACES {
        lines.push(match process.is_apart(kind)? {
            false => Line::new(Mark::Sees, subject, shared),
            true => Line::new(Mark::Blind, subject, "its own"),
        });
    }
    for subject in ["memory", "cpu", "pids"] {
        let text = "no limit but the launcher's own";
        lines.push(Line::new(Mark::Free, subject, text));
    }
    lines.push(match process.status("Seccomp")?.as_str() {
        "0" => Line::new(Mark::Free, "syscalls", "may ask for any"),
        _ => Line::new(Mark::Gagged, "syscalls", "filtered"),
    });
    Ok(lines)
}
