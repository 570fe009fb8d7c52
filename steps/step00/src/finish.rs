//! The frame around every rung's `main`.

mod probe;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Result;
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::child::Ending;
use crate::failure::Failure;
use crate::unwritten::catch;

static RUNG: OnceLock<&str> = OnceLock::new();

/// The name of the rung that runs, for advice that names it. Other programs
/// that use the rungs' code have none.
pub fn rung() -> Option<&'static str> {
    RUNG.get().copied()
}

/// Does the work, reports what went wrong, if anything did, and turns the
/// result into an exit status. (A question of `cargo workshop check 0` is
/// answered in its place.)
pub fn finish(
    rung: &'static str,
    work: impl FnOnce() -> Result<Ending>,
) -> ExitCode {
    let _ = RUNG.set(rung);
    keep_zombies();
    let work = || match probe::question(rung) {
        Some(question) => probe::answer(&question),
        None => work(),
    };
    let status = match catch(work) {
        Ok(ending) => ending.status(),
        Err(error) => {
            let failure = Failure::from_error(&error);
            report(rung, &failure);
            failure.status
        }
    };
    ExitCode::from(status)
}

/// A parent that ignores SIGCHLD has passed that on to us, and then the kernel
/// keeps no dead child until it is waited for: its exit status would be lost.
fn keep_zombies() {
    // SAFETY: SIG_DFL is no handler of ours that could do something unsafe.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// Not eprintln!, which panics when stderr is closed or full.
pub(crate) fn report(rung: &str, failure: &Failure) {
    let text = visible(&format!("{rung}: {failure}"));
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error names files, hosts and flags, and whoever has named those is not
/// to speak to the terminal.
fn visible(text: &str) -> String {
    let escaped = text.chars().map(|c| match c.is_control() && c != '\n' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn an_error_does_not_speak_to_the_terminal() {
        let shown = visible("enter \u{1b}[31m\u{9b}: ENOENT\n  try: ü");
        assert_eq!(shown, "enter \\u{1b}[31m\\u{9b}: ENOENT\n  try: ü");
    }
}
