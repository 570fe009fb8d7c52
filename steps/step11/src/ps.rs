//! `step11 ps`: which containers there are.

mod format;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use step00::Ending;

use crate::record;
use crate::state::{State, Status};

pub use format::Format;

/// The flags of `ps`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Those that have ended, too
    #[arg(short, long)]
    pub all: bool,

    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,

    /// Print lines of your own: {{.Names}}, {{.Status}} …, or json
    #[arg(long, value_name = "TEMPLATE", value_parser = Format::parse)]
    #[arg(conflicts_with = "quiet")]
    pub format: Option<Format>,
}

/// Prints a line for each.
///
/// # Errors
/// When the records cannot be read.
pub fn ps(args: &Args) -> Result<Ending> {
    let is_wanted = |status: &Status| {
        args.all || !matches!(status, Status::Exited(_) | Status::Lost)
    };
    let states = record::list()?.into_iter();
    let all = states.map(|state| (state.status(), state));
    let all: Vec<(Status, State)> =
        all.filter(|(status, _)| is_wanted(status)).collect();
    let text = match &args.format {
        Some(format) => format.print(&all)?,
        None if args.quiet => {
            all.iter().map(|(_, state)| format!("{}\n", state.name)).collect()
        }
        None => table(&all),
    };
    step00::print(&text)
}

/// How wide a terminal is at least, and a printed page.
const WIDTH: usize = 79;

fn table(all: &[(Status, State)]) -> String {
    let header = ["NAME", "STATUS", "PID", "ADDRESS", "COMMAND"];
    let mut rows = vec![header.map(String::from)];
    rows.extend(all.iter().map(|(status, state)| row(status, state)));
    align(&rows)
}

fn row(status: &Status, state: &State) -> [String; 5] {
    let unknown = || "-".to_owned();
    let process = status.process();
    let pid = process.map_or_else(unknown, |found| found.pid.to_string());
    let address = state.address.filter(|_| process.is_some());
    let address = address.map_or_else(unknown, |found| found.to_string());
    let command = state.command.join(" ").escape_debug().to_string();
    [state.name.clone(), since(status, state), pid, address, command]
}

/// Columns as wide as what is in them. The last one gets what is left.
fn align(rows: &[[String; 5]]) -> String {
    let width = |column: usize, least: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(least)
    };
    let [name, status, pid, address] =
        [width(0, 15), width(1, 18), width(2, 7), width(3, 13)];
    let left = WIDTH.saturating_sub(name + status + pid + address + 4);
    let line = |row: &[String; 5]| {
        format!(
            "{:<name$} {:<status$} {:<pid$} {:<address$} {}\n",
            row[0],
            row[1],
            row[2],
            row[3],
            cut(&row[4], left.max(12))
        )
    };
    rows.iter().map(line).collect()
}

/// The width of a column of names, which have up to 40 characters.
pub(crate) fn name_width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0).max(15)
}

/// What it does, or how it has ended, and how long ago.
pub(crate) fn since(status: &Status, state: &State) -> String {
    // After how many restarts, of those that have any.
    let times = state.restarts.filter(|&times| times > 0);
    let times = times.map(|times| format!(" ({times})")).unwrap_or_default();
    let since = match status {
        Status::Running(_) => format!("up {}", ago(state.created)),
        Status::Paused(_) => format!("up {} (paused)", ago(state.created)),
        Status::Exited(ended) => {
            let why = if ended.oom_killed { ", out of memory," } else { "" };
            format!("exited {}{why} {} ago", ended.status, ago(ended.at))
        }
        Status::Restarting(ended) => {
            format!("restarting, {} ago", ago(ended.at))
        }
        status => status.word().into(),
    };
    since + &times
}

/// How long ago that was, in the largest unit that is not zero.
pub(crate) fn ago(then: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |now| now.as_secs()).saturating_sub(then);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// The beginning of a text that is too long for its column.
pub(crate) fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width - 1).chain(['…']).collect(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 5]) -> [String; 5] {
        cells.map(String::from)
    }

    #[test]
    fn each_column_is_as_wide_as_its_longest_cell() {
        let long = "x".repeat(40);
        let rows = [
            row(["web", "up 1 s", "7", "-", "sh"]),
            row([
                &long,
                "exited 137, out of memory, 59 min ago",
                "-",
                "-",
                "sh",
            ]),
        ];
        let text = align(&rows);
        let at: Vec<usize> =
            text.lines().filter_map(|line| line.find(" sh")).collect();
        assert_eq!((at.len(), at[0]), (2, at[1]), "{text}");
    }

    #[test]
    fn a_usual_line_fits_a_terminal() {
        let command = "c".repeat(100);
        let usual = [
            "web",
            "exited 137 59 min ago",
            "4194304",
            "10.77.255.254",
            &command,
        ];
        let text = align(&[row(usual)]);
        assert_eq!(text.trim_end().chars().count(), WIDTH);
        assert!(text.contains("c…"), "{text}");
    }
}
