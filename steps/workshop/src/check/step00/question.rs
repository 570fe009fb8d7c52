//! What `fork` and `wait` are asked by themselves: step00's finish/probe.rs has
//! them answer, in one line.

use std::process::Command;

use anyhow::Result;

use crate::check::{Attempt, Causes, running};

/// Words on stderr, all of them, and the mistake behind them.
pub(super) type Cause = (&'static [&'static str], &'static str);

/// A question, and what the answers mean.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) answer: &'static str,
    /// Words of another answer, and the mistake behind it. The first row that
    /// fits is taken; the last one fits all.
    pub(super) others: &'static [(&'static str, &'static str)],
    /// The same for what is said on stderr, where there is no answer.
    pub(super) causes: &'static Causes,
    /// It neither answers nor ends.
    pub(super) hangs: &'static str,
}

impl Question {
    /// Asks it.
    pub(super) fn ask(&self, attempt: &mut Attempt) -> Result<()> {
        let mut command = Command::new(attempt.binary());
        command.env("WORKSHOP_PROBE", self.name);
        let report = running::run(command)?;
        let found = report.stdout.trim_end();
        let meaning =
            self.others.iter().find(|(part, _)| found.contains(part));
        let mistake = match (report.status, meaning) {
            (None, _) | (_, None) => self.hangs,
            (_, Some((_, mistake))) => mistake,
        };
        attempt.printed(self.what, &report, self.answer, self.causes, mistake)
    }
}
