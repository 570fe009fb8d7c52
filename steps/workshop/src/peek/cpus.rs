//! On which CPUs a process may run.

use std::fs;

use serde_json::json;
use step00::Mark;

use super::proc::Process;
use super::row::Row;

/// A row, if these are not all: by a group's cpuset or by taskset(1).
pub fn look(process: &Process) -> Option<Row> {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let (online, allowed) =
        (online.trim(), process.status("Cpus_allowed_list").ok()?);
    let may_not = numbers(online).any(|cpu| {
        let mut allowed = numbers(&allowed);
        !allowed.any(|number| number == cpu)
    });
    let text = format!("only on CPU {allowed} of {online}");
    let facts = json!({ "limit": allowed });
    may_not.then(|| Row::with(Mark::Cuffed, "cpuset", text, facts))
}

/// The numbers of a list such as `0-3,8`.
fn numbers(list: &str) -> impl Iterator<Item = u32> {
    list.split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => first..last.saturating_add(1),
            _ => 0..0,
        }
    })
}
