//! How a rung says that something went wrong, and with which exit status.
//!
//! An error has up to three parts: what was attempted and on what (the
//! context), what the kernel answered (the errno), and the one thing to do
//! about it (the advice).

use std::fmt;

use anyhow::{Error, Result};

/// The workshop itself failed; the command was never started.
pub const WORKSHOP_FAILED: u8 = 125;
/// The command is there, but the kernel will not run it.
pub const CANNOT_EXECUTE: u8 = 126;
/// There is no such command.
pub const NOT_FOUND: u8 = 127;

/// An error that has its own exit status, or has crossed from one process to
/// another, where only its text survives.
#[derive(Debug)]
pub struct Failure {
    /// The exit status that it asks for.
    pub status: u8,
    /// The whole message, advice included.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Boils an error down to what can be sent across the gate.
    pub fn from_error(error: &Error) -> Failure {
        let status = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>())
            .map_or(WORKSHOP_FAILED, |failure| failure.status);
        Failure { status, message: format!("{error:#}") }
    }

    /// The same with advice, on a line of its own.
    pub(crate) fn with_advice(mut self, advice: impl fmt::Display) -> Failure {
        self.message += &format!("\n  try: {advice}");
        self
    }
}

/// Adds to an error the one thing that a learner can do about it.
pub trait Advice<T> {
    /// The advice is printed on a line of its own, after the error.
    fn advice(self, advice: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Advice<T> for Result<T, E> {
    fn advice(self, advice: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            Failure::from_error(&error.into()).with_advice(advice).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_failure_keeps_its_status_through_context_and_advice() {
        let inner = || Failure { status: 126, message: "inner".into() };
        let result: Result<()> = Err(inner().into());
        let error = result.context("outer").advice("do this");
        let error = error.expect_err("an error");
        let failure = Failure::from_error(&error);
        assert_eq!(failure.status, 126);
        assert_eq!(failure.message, "outer: inner\n  try: do this");
        assert_eq!(failure.to_string(), failure.message);
        // The control: an error that asks for none, and no error at all.
        let other = Failure::from_error(&Error::msg("other"));
        assert_eq!((other.status, &*other.message), (125, "other"));
        let fine: Result<i32> = Ok::<_, Error>(7).advice("nothing");
        assert_eq!(fine.expect("no error"), 7);
    }
}
