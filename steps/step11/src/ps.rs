//! `step11 ps`: which containers there are.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use step00::Ending;

use crate::record;
use crate::state::{State, Status};

/// The flags of `ps`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints a line for each.
pub fn ps(args: &Args) -> Result<Ending> {
    let states = record::list()?;
    let text: String = match args.quiet {
        true => {
            states.iter().map(|state| format!("{}\n", state.name)).collect()
        }
        false => table(&states),
    };
    step00::print(&text)
}

fn table(states: &[State]) -> String {
    let width = name_width(states.iter().map(|state| &*state.name));
    let header = row(width, ["NAME", "STATUS", "PID", "COMMAND"]);
    let lines = states.iter().map(|state| line(state, width));
    header + &lines.collect::<String>()
}

/// The width of a column of names, which have up to 40 characters.
pub(crate) fn name_width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0).max(15)
}

fn row(width: usize, [name, status, pid, command]: [&str; 4]) -> String {
    format!("{name:<width$} {status:<22} {pid:<8} {command}\n")
}

fn line(state: &State, width: usize) -> String {
    let (status, pid) = match state.status() {
        Status::Running(process) => {
            (format!("up {}", since(state.created)), process.pid.to_string())
        }
        Status::Exited(ended) => (
            format!("exited {} {} ago", ended.status, since(ended.at)),
            "-".into(),
        ),
        Status::Ending => ("ending".into(), "-".into()),
        Status::Lost => ("lost".into(), "-".into()),
        Status::Unknown(_) => ("unknown".into(), "-".into()),
    };
    let command = cut(&state.command.join(" ").escape_debug().to_string(), 31);
    row(width, [&state.name, &status, &pid, &command])
}

/// How long ago that was, in the largest unit that is not zero.
fn since(then: u64) -> String {
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

    #[test]
    fn the_first_column_is_as_wide_as_the_longest_name() {
        let long = "x".repeat(40);
        let width = name_width(["web", &long].into_iter());
        let column = |name| row(width, [name, "up 1 s", "7", "sh"]).find("up");
        assert_eq!((column("web"), column(&long)), (Some(41), Some(41)));
        assert_eq!(name_width(["web"].into_iter()), 15);
    }
}
