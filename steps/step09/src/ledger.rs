//! What is read back of step09: queues, groups and uptime.

use std::path::Path;

use anyhow::Result;
use step00::proc::Mount;
use step00::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    step06::ledger::read, step07::ledger::read, step08::ledger::read,
    read,
];

/// Reads the process's group and its clock offset from outside. Inside, the
/// group's path is only `/`, and the offset cannot be read.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if process.is_apart("ipc")? {
        let text = "its own queues, semaphores and shared memory";
        lines.push(Line::new(Mark::Blind, "ipc", text));
    }
    let group = process.group()?;
    if process.is_apart("cgroup")? {
        let text = match &group {
            Some(group) => format!("its / is {group} here"),
            None => "its own tree".into(),
        };
        lines.push(Line::new(Mark::Blind, "cgroups", text));
    }
    // With --network host the machine's /sys is in there, and that has it all;
    // but for what lies on it, as its own group does.
    let mounts = process.mounts()?;
    let is_own = |mount: &Mount| {
        mount.kind == "cgroup2"
            && group
                .as_ref()
                .is_some_and(|group| mount.root == Path::new(group))
    };
    let is_tree = |mount: &&Mount| {
        mount.kind.starts_with("cgroup")
            && mounts.at(&mount.point) == Some(mount)
            && !is_own(mount)
    };
    if let Some(tree) = mounts.iter().find(is_tree) {
        let text = format!("the machine's, in {}", tree.point.display());
        lines.push(Line::new(Mark::Sees, "cgroups", text));
    }
    if process.is_apart("time")? {
        let seconds = process.boottime_offset()?;
        let text = format!("its uptime differs by {seconds} s");
        lines.push(Line::new(Mark::Blind, "time", text));
    }
    Ok(lines)
}
