//! What is read back of a pod: who else is in the process's namespaces.

use anyhow::Result;
use step00::{Line, Mark, Proc, Reader, Subject};

use crate::record;
use crate::state::Status;

/// All readers of the ledger of a container that shares namespaces.
#[rustfmt::skip]
pub(super) const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    step06::ledger::read, step07::ledger::read, step08::ledger::read,
    step09::ledger::read, step10::ledger::read, read,
];

/// The kinds that can be shared, as /proc/PID/ns calls them, and as people do.
const KINDS: [(&str, &str); 4] = [
    ("net", "network"),
    ("ipc", "ipc"),
    ("pid", "processes"),
    ("user", "users"),
];

/// Compares the process with each container that runs.
fn read(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for state in record::list()? {
        let Status::Running(other) = state.status() else { continue };
        let other = Proc::of(other.pid);
        let is_shared = |kind: &str| -> Result<bool> {
            Ok(process.is_apart(kind)?
                && process.namespace(kind)? == other.namespace(kind)?)
        };
        let mut shared = Vec::new();
        for (kind, name) in KINDS {
            if is_shared(kind).unwrap_or(false) {
                shared.push(name);
            }
        }
        if !shared.is_empty() {
            let text = format!("with {}: {}", state.name, shared.join(", "));
            lines.push(Line::new(Mark::Sees, "pod", text));
        }
    }
    Ok(lines)
}
