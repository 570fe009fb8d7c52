//! What was measured, as a table with bars, and for programs.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::numbers::Spread;
use super::remarks;
use super::row::Row;
use crate::text::{VERSION, fit, wrap};

/// The width of the longest bar: with it a line has 80 columns.
const BAR: usize = 20;

/// # Errors
/// Those of the writer.
pub fn print(rows: &[Row<'_>], out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{:<10} {:>8}  {:<11} {:<14} {:>6}",
        "", "ms", "half of all", "adds", "MiB"
    )?;
    // The bar of what takes much longer than the ladder is cut.
    let rungs = rows.iter().filter(|row| row.is_rung());
    let longest = rungs.filter_map(|row| Some(row.time?.median));
    let scale = longest.fold(0.0, f64::max) * 1.5;
    let mut was_rung = true;
    for row in rows {
        if was_rung && !row.is_rung() && row.name != "plain" {
            writeln!(out)?;
        }
        was_rung = row.is_rung();
        print_row(row, scale, out)?;
    }
    writeln!(out)?;
    let remarks = remarks::remarks(rows);
    for line in remarks.iter().flat_map(|text| wrap(text, fit(80))) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn print_row(row: &Row<'_>, scale: f64, out: &mut impl Write) -> Result<()> {
    let name = row.name;
    let Some(time) = row.time else {
        let error = row.timing.error.as_deref().unwrap_or("not measured");
        let text = format!("does not run here: {error}{}", explain(error));
        let mut head = name;
        for line in wrap(&text, fit(69)) {
            writeln!(out, "{head:<10} {line}")?;
            head = "";
        }
        return Ok(());
    };
    let added = row.added.map_or_else(String::new, |added| {
        let sign = if added.median < 0.0 { '-' } else { '+' };
        let amount = short(added.median.abs());
        format!("{sign}{amount} ±{}", short(added.doubt()))
    });
    let memory = row.timing.memory.map_or_else(
        || "?".to_owned(),
        |kib| format!("{:.1}", kib as f64 / 1024.0),
    );
    let half = format!("{}–{}", short(time.low), short(time.high));
    let bar = bar(time.median, scale);
    let line = format!(
        "{name:<10} {:>8.2}  {half:<11} {added:<14} {memory:>6} {bar}",
        time.median
    );
    Ok(writeln!(out, "{}", line.trim_end())?)
}

/// What is behind the words of another program.
fn explain(error: &str) -> &'static str {
    match error.contains("find source path") {
        true => {
            " (it gives up root's powers first, and then may not enter a home \
             that is closed to others: chmod o+x it, and measure again)"
        }
        false => "",
    }
}

/// Three digits or so.
fn short(time: f64) -> String {
    match time {
        ..10.0 => format!("{time:.2}"),
        ..100.0 => format!("{time:.1}"),
        _ => format!("{time:.0}"),
    }
}

/// A bar that is too long for its room ends in `>`.
fn bar(time: f64, scale: f64) -> String {
    if time > scale {
        return format!("{}>", "#".repeat(BAR - 1));
    }
    // Both are positive, and the quotient is at most 1.
    let length = (time / scale * BAR as f64).round() as usize;
    "#".repeat(length.min(BAR))
}

/// # Errors
/// Those of the writer.
pub fn print_json(rows: &[Row<'_>], out: &mut impl Write) -> Result<()> {
    let spread = |spread: &Option<Spread>| match spread {
        None => Value::Null,
        Some(spread) => json!({
            "low": spread.low,
            "median": spread.median,
            "high": spread.high,
            "doubt": spread.doubt(),
            "rounds": spread.count,
        }),
    };
    let rows = rows.iter().map(|row| {
        json!({
            "name": row.name,
            "command": row.command,
            "milliseconds": spread(&row.time),
            "beside": row.base,
            "adds": spread(&row.added),
            "memory_kib": row.timing.memory,
            "error": row.timing.error,
        })
    });
    let page =
        json!({ "version": VERSION, "measured": rows.collect::<Vec<_>>() });
    Ok(writeln!(out, "{page:#}")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::candidates::Entry;
    use crate::measure::plan::{Candidate, Timing};

    #[test]
    fn the_keys_are_those_that_the_book_lists() {
        let page = include_str!("../../../../book/src/beyond/json.md");
        let candidate = Candidate {
            name: "step00".into(),
            quick: vec!["true".into()],
            wait: Vec::new(),
        };
        let entry = Entry { candidate, base: Some("plain".into()) };
        let times = vec![Some(1.0), Some(2.0)];
        let timing = Timing { times: times.clone(), ..Timing::default() };
        let rows = [Row::new(&entry, &timing, Some(&times))];
        let mut json = Vec::new();
        print_json(&rows, &mut json).expect("print it");
        let json = String::from_utf8(json).expect("text");
        witness::shape::compare(page, "cargo workshop measure", &json);
    }
}
