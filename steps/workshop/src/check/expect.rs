//! What is expected, and what is printed if it is not so.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Result;

use super::Attempt;
use super::report::{Causes, Report};
use crate::text::{fit, printable, wrap};

impl Attempt {
    /// It did not get as far as it should have.
    ///
    /// # Errors
    /// Those of stdout.
    pub fn failed(
        &mut self,
        what: &str,
        report: &Report,
        causes: &Causes,
    ) -> Result<()> {
        let words = report.words();
        let hint = format!("cargo workshop hint {}", self.number);
        let stderr = &report.stderr;
        let is_panic = stderr.contains("panicked");
        let cause = match causes
            .iter()
            .find(|(texts, _)| texts.iter().all(|t| stderr.contains(t)))
        {
            _ if stderr.contains("is yours to write") => {
                format!("it is not written yet: {hint}")
            }
            Some((texts, cause)) if !texts.is_empty() || !is_panic => {
                (*cause).to_owned()
            }
            _ if is_panic => {
                "your code panicked, at the line that is named".into()
            }
            _ if report.status.is_none() => {
                "it waits for ever, or goes round in circles: it was ended"
                    .into()
            }
            _ => "the words say which step failed, and what the kernel \
                     answered to it"
                .into(),
        };
        self.found(what, false, words, "no error", &cause)
    }

    /// Are these two the same?
    ///
    /// # Errors
    /// Those of stdout.
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
    /// what should have been, and the likeliest mistake.
    ///
    /// # Errors
    /// Those of stdout.
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
        match is_met {
            true => self.met += 1,
            false => {
                self.missed += 1;
                detail(&mut out, "found", &found.to_string())?;
                detail(&mut out, "expected", &expected.to_string())?;
                detail(&mut out, "likely", mistake)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, mark: &str, what: &str) -> io::Result<()> {
    let mut lines = wrap(what, fit(72)).into_iter();
    writeln!(out, "  {mark}  {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "       {line}"))
}

fn detail(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let text = if text.is_empty() { "nothing" } else { text.trim_end() };
    let text = printable(&text.replace('\n', ", "));
    let mut lines = wrap(&text, fit(60)).into_iter();
    let first = lines.next().unwrap_or_default();
    writeln!(out, "         {label:<8}  {first}")?;
    lines.try_for_each(|line| writeln!(out, "{:19}{line}", ""))
}
