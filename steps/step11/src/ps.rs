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
        false => {
            HEADER.to_owned() + &states.iter().map(line).collect::<String>()
        }
    };
    step00::print(&text)
}

const HEADER: &str =
    "NAME            STATUS                 PID      COMMAND\n";

fn line(state: &State) -> String {
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
    format!("{:<15} {status:<22} {pid:<8} {command}\n", state.name)
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
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width - 1).chain(['…']).collect(),
        false => text.into(),
    }
}
