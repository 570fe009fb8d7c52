//! What is read back of step07: the limits of the process's group.

use std::fs;
use std::path::Path;

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
    let group = place::group_in(process)?;
    Ok(group.map_or(Vec::new(), |group| lines(&group)))
}

/// A line for each limit of a group.
fn lines(group: &Path) -> Vec<Line> {
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
    lines
}

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;

    /// A group with these files, in the words of its ledger.
    fn ledger(files: &[(&str, &str)]) -> Vec<(bool, String)> {
        let group = Folder::new();
        for (name, text) in files {
            fs::write(group.join(name), format!("{text}\n")).expect(name);
        }
        let lines = lines(group.path()).into_iter();
        let line = |line: Line| {
            let text = format!("{}: {}", line.subject, line.text);
            (line.mark == Mark::Cuffed, text)
        };
        lines.map(line).collect()
    }

    #[test]
    fn each_limit_has_its_line_and_what_has_none_is_free() {
        let all = [
            ("memory.max", "67108864"),
            ("memory.swap.max", "0"),
            ("cpu.max", "50000 100000"),
            ("pids.max", "9"),
            ("cpuset.cpus", "0-1"),
            ("io.max", "8:0 rbps=1 wbps=2 riops=max wiops=max"),
        ];
        let words = [
            "memory: at most 64M, no swap",
            "cpu: the time of 0.5 CPU",
            "pids: at most 9 processes and threads",
            "cpuset: 0-1",
            "io: 8:0 rbps=1 wbps=2",
        ];
        let cuffed = words.map(|text| (true, text.to_owned()));
        assert_eq!(ledger(&all), cuffed);
        let with_swap = ledger(&[("memory.max", "1024")]);
        assert_eq!(with_swap[0], (true, "memory: at most 1K".into()));
        // Without limits, or without the files.
        let max = [
            ("memory.max", "max"),
            ("cpu.max", "max 100000"),
            ("pids.max", "max"),
        ];
        let free = ["memory", "cpu", "pids"];
        let free = free.map(|it| (false, format!("{it}: no limit")));
        assert_eq!(ledger(&max), free);
        assert_eq!(ledger(&[]), free);
    }
}
