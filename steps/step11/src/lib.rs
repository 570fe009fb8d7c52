//! step11: setns and pidfd, walking back in.
//!
//! It adds nothing to what a container cannot see, use or ask for. It shows
//! that none of this is a wall: whoever is allowed to, joins the namespaces of
//! a process and its group, and is in the same container. And it is what one
//! needs to live with several of them: names, records, an end.
//!
//! Interface:
//!
//! - [`enter`] - the primitive: take hold of a process, join its namespaces.
//! - [`namespaces`] - which namespaces are between two processes.
//! - [`run`] - step10 with a name; [`exec`] - one more process in there.
//! - [`state`], [`record`] - what is known of each, without a daemon.
//! - [`detach`], [`log`] - a launcher without a terminal, and its output.
//! - [`ps`], [`stats`], [`inspect`], [`end`] - looking at them, ending them.
//! - [`Args`] - `--name`, `--detach`, `--rm`.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step11 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod enter;
#[cfg(not(feature = "exercise"))]
pub mod enter;

pub mod detach;
pub mod end;
pub mod exec;
pub mod inspect;
pub mod log;
pub mod namespaces;
pub mod ps;
pub mod record;
pub mod run;
pub mod state;
pub mod stats;

/// The flags of this rung, for `run`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step11: the record")]
#[group(skip)]
pub struct Args {
    /// What it is called [default: box1, box2 …]
    #[arg(long, value_parser = state::parse_name)]
    pub name: Option<String>,

    /// Leave it running, without a terminal; its output is kept in a log
    #[arg(short, long)]
    pub detach: bool,

    /// Forget a detached one when it ends, log and all
    #[arg(long)]
    pub rm: bool,
}

/// Which containers a command is about.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Names {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// The containers, by name
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}
