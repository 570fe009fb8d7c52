//! `workshop class`: who of a room stands where. The learners hand their
//! progress files in, into a folder that the room shares; there is no server.
//!
//! - [`hand_in`] - the learner's side: one's own file, into that folder.
//! - [`gather`] - the instructor's: what lies there. Strangers have written it.
//! - [`table`] - how it is shown, for people and for programs.

mod gather;
mod hand_in;
mod table;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::ladder::{Repository, Rung};
use crate::learn::progress::Progress;

/// Whoever has tried so often, and is not done, may be glad of a visit.
const MANY: u32 = 5;

/// The flags of `workshop class`.
#[derive(Debug, Args)]
pub struct Class {
    /// The folder with what the room has handed in: NAME.json, or
    /// NAME/.workshop.json
    #[arg(required_unless_present = "hand_in")]
    folder: Option<PathBuf>,

    /// Print all of it for programs
    #[arg(long)]
    json: bool,

    /// Hand in: copy your own progress file into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["folder", "json"])]
    hand_in: Option<PathBuf>,

    /// The name to hand in under [default: yours on this machine]
    #[arg(long = "as", value_name = "NAME", requires = "hand_in")]
    name: Option<String>,
}

/// Shows the class, or hands in.
///
/// # Errors
/// The folder cannot be read, or not be written to.
pub fn run(
    args: &Class,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    if let Some(folder) = &args.hand_in {
        return hand_in::run(folder, args.name.as_deref(), repository, out);
    }
    let folder = args.folder.as_deref().unwrap_or(".".as_ref());
    let class = gather::gather(folder)?;
    match args.json {
        true => table::json(&class, out),
        false => table::print(&class, out),
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Room {
    learners: Vec<Learner>,
    /// What could not be read: its name, and why.
    refused: Vec<(String, String)>,
}

/// One of those who have handed in.
#[derive(Debug)]
struct Learner {
    /// As the file or folder is named: a stranger's word.
    name: String,
    progress: Progress,
}

/// How far a learner is on a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Untouched,
    Begun,
    Stuck,
    Done,
    Broken,
}

impl Learner {
    fn state(&self, rung: &Rung) -> State {
        match self.progress.of(rung) {
            Some(entry) if entry.broken => State::Broken,
            Some(entry) if entry.done => State::Done,
            Some(entry) if entry.tries >= MANY => State::Stuck,
            Some(entry) if entry.tries > 0 || entry.hinted() > 0 => {
                State::Begun
            }
            _ => State::Untouched,
        }
    }

    fn tries(&self, rung: &Rung) -> u32 {
        self.progress.of(rung).map_or(0, |entry| entry.tries)
    }

    fn hints(&self, rung: &Rung) -> u32 {
        self.progress.of(rung).map_or(0, |entry| entry.hinted())
    }
}

impl State {
    /// For programs; book/src/beyond/json.md lists them.
    fn word(self) -> &'static str {
        match self {
            State::Untouched => "untouched",
            State::Begun => "begun",
            State::Stuck => "stuck",
            State::Done => "done",
            State::Broken => "broken",
        }
    }
}
