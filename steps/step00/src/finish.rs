//! The last line of every rung's `main`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;

use crate::child::Ending;
use crate::failure::Failure;
use crate::unwritten::catch;

/// Does the work, reports what went wrong, if anything did, and turns the
/// result into an exit status.
pub fn finish(rung: &str, work: impl FnOnce() -> Result<Ending>) -> ExitCode {
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

/// Not eprintln!, which panics when stderr is closed or full.
pub(crate) fn report(rung: &str, failure: &Failure) {
    let _ = writeln!(io::stderr(), "{rung}: {failure}");
}
