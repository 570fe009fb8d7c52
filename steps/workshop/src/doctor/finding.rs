//! One thing that was looked at.

use serde::Serialize;
use serde_json::json;

use crate::ladder::{LADDER, LAST};

/// Every rung.
pub const ALL: Rungs = Rungs { first: 0, last: LAST };

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Fine,
    /// The rungs run, but a part of them or of the workshop does not.
    Note,
    /// Rungs cannot show what they are there to show.
    Missing,
}

impl State {
    /// Plain text: no colour is needed to see it across a room.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Fine => "fine",
            State::Note => "note",
            State::Missing => "MISSING",
        }
    }
}

/// Neighbours on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rungs {
    /// The lowest of them.
    pub first: u8,
    /// The highest.
    pub last: u8,
}

impl Rungs {
    /// One rung alone.
    #[must_use]
    pub const fn only(rung: u8) -> Rungs {
        Rungs { first: rung, last: rung }
    }

    /// This rung and what stands on it.
    #[must_use]
    pub const fn from(first: u8) -> Rungs {
        Rungs { first, last: LAST }
    }

    /// These, and all up to `last`.
    #[must_use]
    pub fn up_to(self, last: u8) -> Rungs {
        Rungs { last, ..self }
    }

    /// Their numbers.
    pub fn numbers(self) -> impl DoubleEndedIterator<Item = u8> {
        let all = LADDER.iter().map(|rung| rung.number);
        all.filter(move |number| (self.first..=self.last).contains(number))
    }

    /// `step07`, `step01 … step11`.
    #[must_use]
    pub fn names(self) -> String {
        let Rungs { first, last } = self;
        match first == last {
            true => name(first),
            false => format!("{} … {}", name(first), name(last)),
        }
    }
}

/// `step07`
#[must_use]
pub fn name(rung: u8) -> String {
    format!("step{rung:02}")
}

/// What was found out about one subject.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Good or bad.
    pub state: State,
    /// What it is about.
    pub subject: &'static str,
    /// What was found.
    pub text: String,
    /// The rungs that it matters to.
    pub rungs: Rungs,
    /// The exact command that mends it, or what to do if none does.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn fine(
        subject: &'static str,
        rungs: Rungs,
        text: impl Into<String>,
    ) -> Finding {
        let text = text.into();
        Finding { state: State::Fine, subject, text, rungs, mend: None }
    }

    /// Worth knowing.
    pub fn note(
        subject: &'static str,
        rungs: Rungs,
        text: impl Into<String>,
    ) -> Finding {
        Finding { state: State::Note, ..Self::fine(subject, rungs, text) }
    }

    /// These rungs cannot run.
    pub fn missing(
        subject: &'static str,
        rungs: Rungs,
        text: impl Into<String>,
    ) -> Finding {
        Finding { state: State::Missing, ..Self::fine(subject, rungs, text) }
    }

    /// What mends it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Finding {
        self.mend = Some(mend.into());
        self
    }

    /// Does it keep this rung from running?
    #[must_use]
    pub fn blocks(&self, rung: u8) -> bool {
        self.state == State::Missing
            && (self.rungs.first..=self.rungs.last).contains(&rung)
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rungs: Vec<String> = self.rungs.numbers().map(name).collect();
        json!({
            "state": self.state.word().to_lowercase(),
            "subject": self.subject,
            "text": self.text,
            "rungs": rungs,
            "mend": self.mend,
        })
        .serialize(serializer)
    }
}
