//! What an exercise has in place of a body that is yours to write.
//!
//! It unwinds the stack as a panic does, but no panic is reported: [`catch`]
//! turns it into an ordinary error, on either side of the gate.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use anyhow::{Error, Result};

use crate::failure::{Failure, WORKSHOP_FAILED};

/// Says which function is to be written, and in which file.
///
/// It takes `file!()`, and reads the number of the rung from that.
pub fn unwritten(function: &str, file: &str) -> ! {
    let message = format!("{function} is yours to write: {file}");
    let mut failure = Failure { status: WORKSHOP_FAILED, message };
    let folder = file.rsplit('/').find_map(|name| name.strip_prefix("step"));
    if let Some(Ok(rung)) = folder.map(str::parse::<u8>) {
        failure = failure.with_advice(format!("cargo workshop hint {rung}"));
    }
    // Unlike panic!, this does not call the hook that prints a backtrace.
    resume_unwind(Box::new(failure))
}

/// Runs `work`. What is not written yet becomes its error, and so does a
/// panic, which the panic hook has reported by then.
///
/// # Errors
/// These, and those of `work`.
pub fn catch<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What `work` has borrowed may be left half changed, and is not used after
    // it.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(payload) => Err(match payload.downcast::<Failure>() {
            Ok(unwritten) => Error::from(*unwritten),
            Err(_) => Error::msg("stopped by a bug, see above"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unwritten_is_an_ordinary_error() {
        let file = "/home/step1/steps/step03/src/exercise.rs";
        let error = catch::<()>(|| unwritten("pivot", file));
        let failure = Failure::from_error(&error.expect_err("an error"));
        assert_eq!(failure.status, WORKSHOP_FAILED);
        let advice = "\n  try: cargo workshop hint 3";
        let expected = format!("pivot is yours to write: {file}{advice}");
        assert_eq!(failure.message, expected);
    }

    #[test]
    fn what_is_written_goes_through_untouched() {
        assert_eq!(catch(|| Ok(7)).expect("no error"), 7);
        let error = catch::<()>(|| anyhow::bail!("as it was"));
        assert_eq!(error.expect_err("an error").to_string(), "as it was");
    }
}
