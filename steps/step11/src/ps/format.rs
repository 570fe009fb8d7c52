//! `ps --format`: lines for programs, and for people who want other columns.

use anyhow::Result;
use serde_json::{Value, json};

use super::{ago, since};
use crate::commands::template::{Template, missing};
use crate::state::{State, Status};

/// The fields, which have Docker's names where Docker has them.
const FIELDS: [&str; 9] = [
    "Names",
    "ID",
    "Status",
    "State",
    "RunningFor",
    "Command",
    "Ports",
    "Pid",
    "Address",
];

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Format {
    /// An object for each, on a line of its own.
    Json,
    /// A line for each.
    Lines(Template),
    /// The same with a header, and a column for each tab.
    Table(Template),
}

impl Format {
    /// Reads `json`, a template, or `table` and a template.
    ///
    /// # Errors
    /// When it has a field that is not there.
    pub fn parse(text: &str) -> Result<Format, String> {
        let (template, format): (_, fn(Template) -> Format) =
            match text.strip_prefix("table ") {
                Some(template) => (template.trim_start(), Format::Table),
                None if text == "json" => return Ok(Format::Json),
                None => (text, Format::Lines),
            };
        let template = Template::parse(template)?;
        let is_there = |name: &str| {
            FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
        };
        let unknown = template.fields().find(|name| !is_there(name));
        if let Some(name) = unknown {
            return Err(missing(name, FIELDS.iter()).to_string());
        }
        Ok(format(template))
    }

    /// The text for all of them.
    pub(super) fn print(&self, all: &[(Status, State)]) -> Result<String> {
        let values = all.iter().map(|(status, state)| value(status, state));
        match self {
            Format::Json => {
                Ok(values.map(|value| format!("{value}\n")).collect())
            }
            Format::Lines(template) => {
                values.map(|value| Ok(template.fill(&value)? + "\n")).collect()
            }
            Format::Table(template) => {
                let heads = FIELDS.map(|name| (name, name.to_uppercase()));
                let head: Value = heads
                    .into_iter()
                    .map(|(name, head)| (name.to_owned(), json!(head)))
                    .collect();
                let lines = std::iter::once(head).chain(values);
                let lines: Vec<String> = lines
                    .map(|value| template.fill(&value))
                    .collect::<Result<_>>()?;
                Ok(align(&lines))
            }
        }
    }
}

fn value(status: &Status, state: &State) -> Value {
    let process = status.process();
    json!({
        "Names": state.name,
        // A container has no other name here.
        "ID": state.name,
        "Status": since(status, state),
        "State": status.word(),
        "RunningFor": ago(state.created),
        "Command": state.command.join(" ").escape_debug().to_string(),
        "Ports": state.ports.join(", "),
        "Pid": process.map(|process| process.pid.as_raw()),
        "Address": state.address,
    })
}

/// Puts what stands between tabs into columns.
fn align(lines: &[String]) -> String {
    let rows = lines.iter().map(|line| line.split('\t').collect::<Vec<_>>());
    let rows: Vec<Vec<&str>> = rows.collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<&str>| {
        let cells = row.iter().enumerate();
        let cells =
            cells.map(|(at, cell)| format!("{cell:<0$}   ", width(at)));
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
