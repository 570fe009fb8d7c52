//! All rungs and the companion in one program, which is whichever of them it is
//! called by: the Linux in the book's page has it under all their names.
//!
//! Each alone is as large as all together, since what they are made of is the
//! same; and a reader waits for every byte.

use std::env;
use std::path::Path;
use std::process::ExitCode;

/// A name, and what starts there.
type Program = (&'static str, fn() -> ExitCode);

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

fn main() -> ExitCode {
    if cfg!(feature = "in-page") {
        // What tells how to unwind a stack is left out there (scripts/page),
        // and whoever asks for a backtrace would be ended by a signal.
        for name in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
            // SAFETY: this is the only thread, so nobody reads them meanwhile.
            unsafe { env::remove_var(name) };
        }
    }
    let first = env::args_os().next().unwrap_or_default();
    let name = Path::new(&first).file_name().unwrap_or_default();
    match PROGRAMS.iter().find(|(it, _)| *it == name) {
        Some((_, start)) => start(),
        None => {
            let names: Vec<_> = PROGRAMS.iter().map(|(it, _)| *it).collect();
            eprintln!("rungs: to be called as one of {}", names.join(", "));
            ExitCode::FAILURE
        }
    }
}
