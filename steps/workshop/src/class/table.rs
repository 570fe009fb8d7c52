//! The class as a table that fits 80 columns, and as JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{Learner, MANY, Room, State};
use crate::ladder::{LADDER, Rung};
use crate::text::{VERSION, fit, printable};

/// The columns of a name, those of a rung, and those of the hints.
const NAME: usize = 20;
const CELL: usize = 4;
const HINTS: usize = 7;

/// Prints a line for each learner, with a column for each rung, and the sums.
///
/// # Errors
/// Those of the writer.
pub(super) fn print(room: &Room, out: &mut impl Write) -> Result<()> {
    if room.learners.is_empty() {
        writeln!(out, "nobody has handed in yet. How:")?;
        writeln!(out, "  cargo workshop class --hand-in FOLDER")?;
    } else {
        learners(room, out)?;
    }
    for (name, why) in &room.refused {
        let name = cut(name, 40);
        writeln!(out, "not read: {name}: {}", printable(why))?;
    }
    Ok(())
}

fn learners(room: &Room, out: &mut impl Write) -> Result<()> {
    let numbers = LADDER.iter().map(|rung| format!("{:02}", rung.number));
    row("", numbers, "hints", out)?;
    for learner in &room.learners {
        let cells = LADDER.iter().map(|rung| cell(learner, rung));
        let hints = LADDER.iter().map(|rung| learner.hints(rung));
        let hints = hints.fold(0, u32::saturating_add).min(9999);
        row(&learner.name, cells, &hints.to_string(), out)?;
    }
    writeln!(out)?;
    for (title, states) in [
        ("done", &[State::Done, State::Broken][..]),
        ("begun", &[State::Begun, State::Stuck]),
        ("stuck", &[State::Stuck]),
    ] {
        let count = |rung| count(room, rung, states).to_string();
        row(title, LADDER.iter().map(count), "", out)?;
    }
    writeln!(
        out,
        "\n+ done, x done and its last check failed, 3 begun (so many tries),\n\
         12! stuck ({MANY} tries and more), . not begun; {} in the room",
        room.learners.len()
    )?;
    Ok(())
}

fn row(
    name: &str,
    cells: impl Iterator<Item = String>,
    hints: &str,
    out: &mut impl Write,
) -> Result<()> {
    let width = fit(NAME);
    let mut line = format!("{:<width$}", cut(name, width));
    cells.for_each(|cell| line += &format!("{cell:>CELL$}"));
    line += &format!("{hints:>HINTS$}");
    Ok(writeln!(out, "{}", line.trim_end())?)
}

/// A rung of a learner, in at most three characters.
fn cell(learner: &Learner, rung: &Rung) -> String {
    let tries = learner.tries(rung).min(99);
    match learner.state(rung) {
        State::Untouched => ".".into(),
        State::Begun => tries.to_string(),
        State::Stuck => format!("{tries}!"),
        State::Done => "+".into(),
        State::Broken => "x".into(),
    }
}

fn count(room: &Room, rung: &Rung, states: &[State]) -> usize {
    let all = room.learners.iter();
    all.filter(|learner| states.contains(&learner.state(rung))).count()
}

/// A stranger's name, which is to leave the table a table.
fn cut(name: &str, width: usize) -> String {
    let start: String = name.chars().take(width + 1).collect();
    let safe = printable(&start);
    if safe.chars().count() <= width && start == name {
        return safe;
    }
    let cut: String = safe.chars().take(width - 1).collect();
    cut + "…"
}

/// Prints it for programs: book/src/beyond/json.md.
///
/// # Errors
/// Those of the writer.
pub(super) fn json(room: &Room, out: &mut impl Write) -> Result<()> {
    let learners = room.learners.iter().map(|learner| {
        let rungs = LADDER.iter().map(|rung| {
            json!({
                "rung": rung.name(),
                "state": learner.state(rung).word(),
                "tries": learner.tries(rung),
                "hints": learner.hints(rung),
            })
        });
        json!({ "name": learner.name, "rungs": rungs.collect::<Value>() })
    });
    let sums = LADDER.iter().map(|rung| {
        let mut sum = Map::new();
        sum.insert("rung".into(), rung.name().into());
        for state in [
            State::Untouched,
            State::Begun,
            State::Stuck,
            State::Done,
            State::Broken,
        ] {
            let number = count(room, rung, &[state]);
            sum.insert(state.word().into(), number.into());
        }
        Value::Object(sum)
    });
    let refused = room.refused.iter();
    let refused =
        refused.map(|(name, why)| json!({ "name": name, "why": why }));
    let all = json!({
        "version": VERSION,
        "learners": learners.collect::<Value>(),
        "sums": sums.collect::<Value>(),
        "refused": refused.collect::<Value>(),
    });
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?)
}
