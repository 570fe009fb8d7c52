//! One line of what was found, for people and for programs.

use std::io::{self, Write};

use nix::unistd::geteuid;
use serde::Serialize;
use serde_json::{Value, json};
use step00::Mark;

use crate::text::{WIDTH, fit, printable, wrap};

/// Where the text of a row begins, after mark and subject.
const INDENT: usize = 19;

/// One line, as in the ledger that a rung prints, and the facts that a program
/// would want with it.
#[derive(Debug)]
pub struct Row {
    /// `None`: the kernel does not tell us.
    pub mark: Option<Mark>,
    /// What it is about.
    pub subject: &'static str,
    /// What was found.
    pub text: String,
    /// The same in numbers.
    pub facts: Value,
}

impl Row {
    /// A row without numbers.
    pub fn new(
        mark: Mark,
        subject: &'static str,
        text: impl Into<String>,
    ) -> Row {
        Row::with(mark, subject, text, Value::Null)
    }

    /// A row with the facts behind it.
    pub fn with(
        mark: Mark,
        subject: &'static str,
        text: impl Into<String>,
        facts: Value,
    ) -> Row {
        // Interfaces, groups and mounts have names that anybody may choose.
        let text = printable(&text.into());
        Row { mark: Some(mark), subject, text, facts }
    }

    /// A row about what we may not look at.
    pub fn hidden(subject: &'static str) -> Row {
        let text = unreadable().to_owned();
        Row { mark: None, subject, text, facts: Value::Null }
    }

    /// Prints it in at most 80 columns.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        match self.mark {
            Some(mark) => write!(out, "  {}", mark.word())?,
            None => write!(out, "  ?     ")?,
        }
        let subject = self.subject;
        let mut lines = wrap(&self.text, fit(WIDTH - INDENT)).into_iter();
        writeln!(out, " {subject:<9} {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(out, "{:INDENT$}{line}", "")?;
        }
        Ok(())
    }
}

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mark = self.mark.map(|mark| mark.word().trim().to_lowercase());
        json!({
            "subject": self.subject,
            "mark": mark,
            "text": self.text,
            "facts": self.facts,
        })
        .serialize(serializer)
    }
}

/// Why something cannot be read. Even root may not look at processes that have
/// more capabilities than it has itself (ptrace(2), access mode checking).
#[must_use]
pub fn unreadable() -> &'static str {
    match geteuid().is_root() {
        true => "not readable, not even for this root",
        false => "not readable without root",
    }
}

/// `1 process`, `2 processes`.
#[must_use]
pub fn processes(count: usize) -> String {
    let ending = if count == 1 { "" } else { "es" };
    format!("{count} process{ending}")
}
