//! `--against FILE`: what has changed since that was measured.
//!
//! Milliseconds of two runs cannot be compared: another machine, or another
//! load. So each time is divided by that of a yardstick in the same run, which
//! no change of ours makes faster or slower: bubblewrap where both runs have
//! it, otherwise a plain process.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::row::Row;
use crate::text::{fit, wrap};

/// By what is divided: the first one that both runs have.
const YARDSTICKS: [&str; 2] = ["bubblewrap", "plain"];

/// What is less than this is no change, however often it was measured: the
/// doubt knows nothing of what differs from run to run.
const LEAST: f64 = 0.1;

/// What `cargo workshop measure --json` has printed, as far as it counts here.
#[derive(Debug, Deserialize)]
pub struct Before {
    measured: Vec<Measured>,
}

#[derive(Debug, Deserialize)]
struct Measured {
    name: String,
    milliseconds: Option<Time>,
}

/// A median in milliseconds, and how far off it may be.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Time {
    median: f64,
    doubt: f64,
}

impl Time {
    /// So many times the yardstick, and the doubt of that in parts of it:
    /// those of a quotient add up like the sides of a right angle.
    fn beside(self, yardstick: Time) -> (f64, f64) {
        let part = |time: Time| time.doubt / time.median;
        (self.median / yardstick.median, part(self).hypot(part(yardstick)))
    }
}

impl Before {
    /// Reads what was measured before.
    ///
    /// # Errors
    /// Those of the file, or it is something else.
    pub fn read(path: &Path) -> Result<Before> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not what `cargo workshop measure --json` prints",
                path.display()
            )
        })
    }

    fn time(&self, name: &str) -> Option<Time> {
        let mut all = self.measured.iter();
        all.find(|one| one.name == name)?.milliseconds
    }
}

/// Prints a line for each that both runs have.
///
/// # Errors
/// When they have no yardstick in common; and those of the writer.
pub fn print(
    before: &Before,
    rows: &[Row<'_>],
    out: &mut impl Write,
) -> Result<()> {
    let now = |name: &str| {
        let time = rows.iter().find(|row| row.name == name)?.time?;
        Some(Time { median: time.median, doubt: time.doubt() })
    };
    let both = |name: &str| Some((before.time(name)?, now(name)?));
    let mut yardsticks = YARDSTICKS.into_iter();
    let found = yardsticks.find_map(|name| Some((name, both(name)?)));
    let (yardstick, (then, today)) =
        found.context("neither run has measured a plain process")?;
    writeln!(out, "{:<10} {:>8} {:>8} {:>9}", "", "before", "now", "change")?;
    let names = rows.iter().map(|row| row.name);
    for name in names.filter(|name| *name != yardstick) {
        let Some((its_before, its_now)) = both(name) else { continue };
        let (before, doubt_before) = its_before.beside(then);
        let (now, doubt_now) = its_now.beside(today);
        let change = now / before - 1.0;
        let doubt = doubt_before.hypot(doubt_now);
        let line = format!(
            "{name:<10} {before:>8.2} {now:>8.2} {:>+7.0} % ±{:.0}  {}",
            change * 100.0,
            doubt * 100.0,
            verdict(change, doubt)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    let text = format!(
        "So many times what {yardstick} takes, of the medians of each run. A \
         change that is less than its ±, or than {:.0} %, may be nothing.",
        LEAST * 100.0
    );
    for line in wrap(&text, fit(80)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn verdict(change: f64, doubt: f64) -> &'static str {
    match change.abs() > doubt.max(LEAST) {
        true if change > 0.0 => "slower",
        true => "faster",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::candidates::Entry;
    use crate::measure::plan::{Candidate, Timing};

    fn before(times: &[(&str, f64)]) -> Before {
        let measured = times.iter().map(|&(name, median)| Measured {
            name: name.into(),
            milliseconds: Some(Time { median, doubt: 0.0 }),
        });
        Before { measured: measured.collect() }
    }

    fn compare(before: &Before, times: &[(&str, f64)]) -> Result<String> {
        let entry = |name: &str| Entry {
            candidate: Candidate {
                name: name.into(),
                quick: vec!["true".into()],
                wait: Vec::new(),
            },
            base: None,
        };
        let timing =
            |time| Timing { times: vec![Some(time); 9], ..Timing::default() };
        let all: Vec<(Entry, Timing)> = times
            .iter()
            .map(|&(name, time)| (entry(name), timing(time)))
            .collect();
        let rows: Vec<Row<'_>> = all
            .iter()
            .map(|(entry, timing)| Row::new(entry, timing, None))
            .collect();
        let mut out = Vec::new();
        print(before, &rows, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn only_what_changed_beside_the_yardstick_has_changed() -> Result<()> {
        let then = before(&[
            ("plain", 1.0),
            ("bubblewrap", 4.0),
            ("step01", 2.0),
            ("step02", 2.0),
            ("step03", 2.0),
            ("step04", 2.0),
        ]);
        // A machine that is twice as slow: only what is not so has changed.
        let text = compare(
            &then,
            &[
                ("bubblewrap", 8.0),
                ("step01", 4.0),
                ("step02", 6.0),
                ("step03", 2.0),
                ("step05", 9.0),
            ],
        )?;
        let line = |name: &str| {
            let found = text.lines().find(|line| line.starts_with(name));
            found.map(|line| {
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            })
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(line("step01"), said("step01 0.50 0.50 +0 % ±0"));
        assert_eq!(line("step02"), said("step02 0.50 0.75 +50 % ±0 slower"));
        assert_eq!(line("step03"), said("step03 0.50 0.25 -50 % ±0 faster"));
        assert_eq!([line("step04"), line("step05")], [None, None]);
        assert!(text.contains("what bubblewrap takes"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        Ok(())
    }

    #[test]
    fn without_bubblewrap_it_is_a_plain_process() -> Result<()> {
        let then = before(&[("plain", 1.0), ("step01", 2.0)]);
        let text = compare(&then, &[("plain", 2.0), ("step01", 4.0)])?;
        assert!(text.contains("what plain takes"), "{text}");
        assert!(compare(&then, &[("step01", 4.0)]).is_err());
        Ok(())
    }

    #[test]
    fn what_is_within_its_doubt_is_no_change() {
        assert_eq!(verdict(0.3, 0.4), "");
        assert_eq!(verdict(0.05, 0.0), "");
        assert_eq!(verdict(0.5, 0.4), "slower");
        assert_eq!(verdict(-0.5, 0.4), "faster");
    }
}
