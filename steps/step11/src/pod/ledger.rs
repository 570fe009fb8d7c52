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
    read_step09, step10::ledger::read, read,
];

/// Of what kind, as a line of the ledger has it.
const IPC: &str = "ipc";

/// The kinds that can be shared, as /proc/PID/ns calls them, and as people do.
const KINDS: [(&str, &str); 4] = [
    ("net", "network"),
    ("ipc", IPC),
    ("pid", "processes"),
    ("user", "users"),
];

/// Compares the process with each container that runs.
fn read(process: &Subject) -> Result<Vec<Line>> {
    let line = |(name, kinds): (String, Vec<&str>)| {
        let text = format!("with {name}: {}", kinds.join(", "));
        Line::new(Mark::Sees, "pod", text)
    };
    Ok(shared(process)?.into_iter().map(line).collect())
}

/// What step09 reads, but for what is not the process's own.
fn read_step09(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = step09::ledger::read(process)?;
    let is_shared = shared(process)?.iter().any(|(_, it)| it.contains(&IPC));
    for line in lines.iter_mut().filter(|line| line.subject == IPC) {
        if is_shared {
            line.text = "the pod's queues, semaphores, shared memory".into();
        }
    }
    Ok(lines)
}

/// The containers that share something with the process, and what that is.
fn shared(process: &Subject) -> Result<Vec<(String, Vec<&'static str>)>> {
    let mut all = Vec::new();
    for state in record::list()? {
        let Status::Running(other) = state.status() else { continue };
        let other = Proc::of(other.pid);
        // What has ended in the meantime shares nothing any more.
        let is_shared = |kind: &str| {
            let its = other.namespace(kind).ok();
            process.is_apart(kind).unwrap_or(false)
                && its.is_some_and(|its| {
                    process.namespace(kind).is_ok_and(|own| own == its)
                })
        };
        let kinds = KINDS.iter().filter(|(kind, _)| is_shared(kind));
        let kinds: Vec<_> = kinds.map(|(_, name)| *name).collect();
        if !kinds.is_empty() {
            all.push((state.name, kinds));
        }
    }
    Ok(all)
}
