//! What is expected, and what is printed if it is not so.
//!
//! The first expectation that is not met ends the attempt: those after it may
//! fail only because of it, and would lead astray.

use std::fmt::{self, Display};
use std::io::{self, Write};

use anyhow::Result;

use super::Attempt;
use super::report::{Causes, Report};
use crate::text::{fit, printable, wrap};

/// An expectation was not met, and all about it is printed.
#[derive(Debug)]
pub struct NotMet {
    /// The function of the exercise that is the likeliest to blame.
    pub function: Option<&'static str>,
}

impl Display for NotMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not as expected")
    }
}

impl std::error::Error for NotMet {}

const NO_NAME: &str = "no mistake that is known here: what the program said \
                       is above, with the step that failed and the kernel's \
                       answer";
const HANGS: &str =
    "it waits for ever, or goes round in circles: it was ended";

impl Attempt {
    /// It did not get as far as it should have.
    ///
    /// # Errors
    /// Always: [`NotMet`], or those of stdout.
    pub fn failed(
        &mut self,
        what: &str,
        report: &Report,
        causes: &Causes,
    ) -> Result<()> {
        let otherwise = match report.status {
            Some(_) => NO_NAME,
            None => HANGS,
        };
        let likely = report.likely(causes, otherwise);
        self.found(what, false, report.words(), "no error", &likely)
    }

    /// Has it ended with this status? If not, what it said may tell more than
    /// `mistake` does: whether it was not written yet, has panicked, hangs, or
    /// stopped with one of `causes`.
    ///
    /// # Errors
    /// [`NotMet`], or those of stdout.
    pub fn ended(
        &mut self,
        what: &str,
        report: &Report,
        status: i32,
        causes: &Causes,
        mistake: &str,
    ) -> Result<()> {
        let is_met = report.status == Some(status);
        let likely = report.likely(causes, mistake);
        let expected = format!("status {status}");
        self.found(what, is_met, report.words(), expected, &likely)
    }

    /// Has its command printed this, and nothing else?
    ///
    /// # Errors
    /// [`NotMet`], or those of stdout.
    pub fn printed(
        &mut self,
        what: &str,
        report: &Report,
        expected: &str,
        causes: &Causes,
        mistake: &str,
    ) -> Result<()> {
        let found = report.stdout.trim_end();
        let is_met = found == expected;
        // A command that has not run has printed nothing: why did it not?
        if !is_met && found.is_empty() && report.status != Some(0) {
            let likely = report.likely(causes, mistake);
            return self.found(what, false, report.words(), expected, &likely);
        }
        self.found(what, is_met, found, expected, mistake)
    }

    /// Are these two the same?
    ///
    /// # Errors
    /// [`NotMet`], or those of stdout.
    pub fn same(
        &mut self,
        what: &str,
        found: impl Display,
        expected: impl Display,
        mistake: &str,
    ) -> Result<()> {
        let (found, expected) = (found.to_string(), expected.to_string());
        self.found(what, found == expected, found, expected, mistake)
    }

    /// Notes and prints one expectation. When it is not met: what was found,
    /// what should have been, and the likeliest mistake, which names the
    /// function in `backquotes` first.
    ///
    /// # Errors
    /// [`NotMet`], or those of stdout.
    pub fn found(
        &mut self,
        what: &str,
        is_met: bool,
        found: impl Display,
        expected: impl Display,
        mistake: &str,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        print(&mut out, if is_met { "met" } else { "NOT" }, what)?;
        if is_met {
            self.met += 1;
            return Ok(out.flush()?);
        }
        detail(&mut out, "found", &found.to_string())?;
        detail(&mut out, "expected", &expected.to_string())?;
        detail(&mut out, "likely", mistake)?;
        out.flush()?;
        Err(NotMet { function: self.named_in(mistake) }.into())
    }

    /// The first function of the exercise that a sentence names.
    fn named_in(&self, mistake: &str) -> Option<&'static str> {
        let functions = self.rung.functions();
        let mut quoted = mistake.split('`').skip(1).step_by(2);
        quoted.find_map(|word| {
            functions.iter().find(|name| **name == word).copied()
        })
    }
}

fn print(out: &mut impl Write, mark: &str, what: &str) -> io::Result<()> {
    let mut lines = wrap(what, fit(72)).into_iter();
    writeln!(out, "  {mark}  {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "       {line}"))
}

fn detail(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let text = if text.is_empty() { "nothing" } else { text.trim_end() };
    let lines = text.lines().map(printable);
    let mut lines = lines.flat_map(|line| wrap(&line, fit(60)));
    let first = lines.next().unwrap_or_default();
    writeln!(out, "         {label:<8}  {first}")?;
    lines.try_for_each(|line| writeln!(out, "{:19}{line}", ""))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::ladder::LADDER;

    #[test]
    fn the_function_that_is_named_first_is_the_one_for_the_hint() {
        let attempt = Attempt::new(PathBuf::new(), &LADDER[3]);
        for (mistake, function) in [
            ("`pivot` changes nothing", Some("pivot")),
            ("take `umount2` in `pivot`, not `mount_proc`", Some("pivot")),
            ("main.rs sets CLONE_NEWNS: was it changed?", None),
            ("a pivot without quotes", None),
        ] {
            assert_eq!(attempt.named_in(mistake), function, "{mistake}");
        }
    }

    #[test]
    fn what_is_not_met_ends_the_attempt() {
        let mut attempt = Attempt::new(PathBuf::new(), &LADDER[3]);
        attempt.same("it is so", 1, 1, "").expect("met");
        let error = attempt.same("it is so", 1, 2, "`pivot` lies");
        let error = error.expect_err("not met");
        let not_met = error.downcast_ref::<NotMet>().expect("as such");
        assert_eq!((attempt.met, not_met.function), (1, Some("pivot")));
    }
}
