//! One candidate, as it was measured.

use super::candidates::Entry;
use super::numbers::{Spread, difference};
use super::plan::Timing;

/// One candidate's line.
#[derive(Debug)]
pub struct Row<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it is compared with.
    pub base: Option<&'a str>,
    /// How it is started.
    pub command: &'a [String],
    /// All that is known of it.
    pub timing: &'a Timing,
    /// How long it took, if it ran.
    pub time: Option<Spread>,
    /// What it takes more than its base.
    pub added: Option<Spread>,
}

impl<'a> Row<'a> {
    /// Compares it with `base`, the times of whom it is compared with.
    #[must_use]
    pub fn new(
        entry: &'a Entry,
        timing: &'a Timing,
        base: Option<&[Option<f64>]>,
    ) -> Row<'a> {
        let times = timing.times.iter().flatten().copied().collect();
        Row {
            name: &entry.candidate.name,
            base: entry.base.as_deref(),
            command: &entry.candidate.quick,
            timing,
            time: Spread::of(times),
            added: base.and_then(|base| difference(&timing.times, base)),
        }
    }

    /// Is it one of the ladder?
    #[must_use]
    pub fn is_rung(&self) -> bool {
        self.base.is_some()
    }
}
