//! Records the book's page "the building": what a process sees that wears any
//! choice of this ladder's blindfolds, handcuffs and gags.
//!
//! `scripts/book building` builds this, runs it in a virtual machine with
//! cgroup v2, and keeps what it printed. Nothing on the page is written by hand but
//! the names of things.
//!
//! - [`wear`] - the process: the rungs' own functions, each one only if it is
//!   asked for.
//! - [`views`] - what is asked inside and outside, and which primitives each
//!   answer depends on.
//! - [`observe`] - starts processes until every answer is known, and refuses
//!   to go on when one depends on anything else.
//! - [`record`] - what has been answered so far.
//! - [`mod@write`] - the page's data and its table, written or compared.

#![cfg(target_os = "linux")]

mod observe;
mod record;
mod views;
mod wear;
mod write;

use step00::{Ending, ExitCode, Result};

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    match word.as_str() {
        "observe" => step00::finish("building", || done(observe::print())),
        "write" => step00::finish("building", || done(write::write())),
        "check" => step00::finish("building", || done(write::check())),
        _ => step00::finish("building", wear::run),
    }
}

fn done(outcome: Result<()>) -> Result<Ending> {
    outcome.map(|()| Ending::Exited(0))
}
