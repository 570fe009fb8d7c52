//! step01: the UTS namespace.
//!
//! It blinds to the machine's name, and to nothing else: two strings, the
//! hostname and the NIS domain name. The name UTS is that of the struct which
//! uname(2) fills in, after "UNIX Time-sharing System".
//!
//! Interface:
//!
//! - [`uts::set_hostname`] - the primitive.
//! - [`Args`] - `--hostname`.
//! - [`ledger`] - what the process answers when it is asked for its name.
//!
//! Still visible: everything else, as real root on the learner's real files.
//! `uname -r` gives the same answer in every container and outside: there is
//! one kernel.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step01 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod uts;
#[cfg(not(feature = "exercise"))]
pub mod uts;

use anyhow::Result;
use step00::{Line, Mark, Subject};

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step01: the hostname")]
#[group(skip)]
pub struct Args {
    /// The name that the machine seems to have, 64 bytes at most
    #[arg(long, value_name = "NAME", default_value = "box")]
    #[arg(value_parser = uts::parse_hostname)]
    pub hostname: String,
}

/// Compares the two names, if the process has a namespace of its own.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    let ours = nix::unistd::gethostname()?;
    let (inside, outside) = (&process.hostname, ours.to_string_lossy());
    let text = format!("{inside:?} inside, {outside:?} outside");
    Ok(match process.is_apart("uts")? {
        true => vec![Line::new(Mark::Blind, "hostname", text)],
        false => Vec::new(),
    })
}
