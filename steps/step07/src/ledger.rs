//! What is read back of step07: the limits of the process's group.

use std::fs;

use anyhow::Result;
use step00::{Line, Mark, Reader, Subject};

use crate::place::{self, Place};
use crate::quantities::human;

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    step06::ledger::read, read,
];

/// Reads the limits back from the files of the group that the process is in.
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    if let Place::None { why, advice } = Place::find()? {
        let text = format!("{why}\ntry: {advice}");
        return Ok(vec![Line::new(Mark::Free, "handcuffs", text)]);
    }
    let Some(group) = place::group_in(process)? else {
        return Ok(Vec::new());
    };
    let read = |file| {
        let text = fs::read_to_string(group.join(file)).unwrap_or_default();
        text.trim().to_owned()
    };
    let line = |subject, limit: &str, text: String| match limit {
        "max" | "" => Line::new(Mark::Free, subject, "no limit"),
        _ => Line::new(Mark::Cuffed, subject, text),
    };
    let memory = read("memory.max");
    let swap = read("memory.swap.max");
    let bytes = memory.parse().map_or(memory.clone(), human);
    let swap = if swap == "0" { ", no swap" } else { "" };
    let cpu = read("cpu.max");
    let (quota, period) = cpu.split_once(' ').unwrap_or((&cpu, ""));
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let cpus = number(quota) / number(period);
    let pids = read("pids.max");
    let mut lines = vec![
        line("memory", &memory, format!("at most {bytes}{swap}")),
        line("cpu", quota, format!("the time of {cpus} CPU")),
        line("pids", &pids, format!("at most {pids} processes and threads")),
    ];
    for (subject, file) in [("cpuset", "cpuset.cpus"), ("io", "io.max")] {
        let limit = read(file);
        if !limit.is_empty() {
            let text = limit.replace(" riops=max wiops=max", "");
            lines.push(Line::new(Mark::Cuffed, subject, text));
        }
    }
    Ok(lines)
}
