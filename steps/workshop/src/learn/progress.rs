//! What has been done, in one file: `.workshop.json` beside Cargo.toml.
//!
//! Not below `target`, or `cargo clean` would remove it; not in the home
//! folder, or two clones would share it. Git ignores it. To delete it is to
//! begin anew, and loses nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use step00::Advice;

use crate::ladder::{LADDER, Repository, Rung};
use crate::text::malformed;

/// Its name.
pub const FILE: &str = ".workshop.json";

/// The file's contents.
#[derive(Debug, Serialize, Deserialize)]
pub struct Progress {
    /// By the name of the rung. A rung that is missing has not been begun.
    #[serde(default)]
    rungs: BTreeMap<String, Entry>,
    /// Whose it is: a number that was drawn when it was first handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

/// What is known of one rung.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The learner's own code has passed its check.
    pub done: bool,
    /// It has, and its last check has failed all the same.
    #[serde(skip_serializing_if = "is_false")]
    pub broken: bool,
    /// How often the learner's own code has been checked.
    pub tries: u32,
    /// How many hints have been given, by function.
    pub hints: BTreeMap<String, u32>,
    /// The challenges that are met.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub challenges: BTreeSet<String>,
}

/// What is hardly ever so is written only where it is.
fn is_false(value: &bool) -> bool {
    !*value
}

impl Entry {
    /// The learner's own code has been checked. Done stays done: what broke
    /// since is known beside it.
    pub fn note(&mut self, is_met: bool) {
        self.tries = self.tries.saturating_add(1);
        self.done |= is_met;
        self.broken = self.done && !is_met;
    }

    /// Gives one more of these `count` hints: how many are given then, and is
    /// that one more than before?
    pub fn hint(&mut self, name: &str, count: usize) -> (usize, bool) {
        let given = self.hints.entry(name.into()).or_default();
        let is_more = (*given as usize) < count;
        *given = given.saturating_add(1).min(count as u32);
        (*given as usize, is_more)
    }

    /// How many hints have been given, for all functions together.
    #[must_use]
    pub fn hinted(&self) -> u32 {
        let counts = self.hints.values().copied();
        counts.fold(0, u32::saturating_add)
    }
}

impl Progress {
    /// Reads it; no file means that nothing has been done.
    ///
    /// # Errors
    /// It cannot be read, or is not what this writes.
    pub fn load(repository: &Repository) -> Result<Progress> {
        let path = repository.0.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => "{}".into(),
            read => {
                read.with_context(|| format!("read {}", path.display()))?
            }
        };
        let progress = serde_json::from_str::<Progress>(&text);
        let progress = progress
            .map_err(|error| {
                anyhow!("understand {FILE}: {}", malformed(&error))
            })
            .advice(format!(
                "delete it to begin anew: rm {}",
                path.display()
            ))?;
        Ok(Progress { path, ..progress })
    }

    /// Of a file's contents, which may be a stranger's.
    ///
    /// # Errors
    /// It is not what this writes.
    pub fn parse(text: &[u8]) -> serde_json::Result<Progress> {
        serde_json::from_slice(text)
    }

    /// What stands in the file.
    ///
    /// # Errors
    /// None that are known.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn save(&self) -> Result<()> {
        let text = self.text()?;
        let new = self.path.with_extension("json.new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &self.path))
            .with_context(|| format!("write {}", self.path.display()))
    }

    /// The same where there is something more important to tell: a folder that
    /// cannot be written to is a remark then, and no error.
    pub fn keep(&self) {
        if let Err(error) = self.save() {
            // `eprintln!` would panic where stderr is closed.
            let _ = writeln!(
                io::stderr(),
                "workshop: your progress is not kept: {error:#}"
            );
        }
    }

    /// What is known of this rung.
    pub fn entry(&mut self, rung: &Rung) -> &mut Entry {
        self.rungs.entry(rung.name()).or_default()
    }

    /// Has it passed its check?
    #[must_use]
    pub fn is_done(&self, rung: &Rung) -> bool {
        self.rungs.get(&rung.name()).is_some_and(|entry| entry.done)
    }

    /// What is known of this rung, if it has been begun.
    #[must_use]
    pub fn of(&self, rung: &Rung) -> Option<&Entry> {
        self.rungs.get(&rung.name())
    }

    /// The first rung that is not done; the highest where all are.
    #[must_use]
    pub fn next(&self) -> &'static Rung {
        let first = LADDER.iter().find(|rung| !self.is_done(rung));
        first.unwrap_or(&LADDER[LADDER.len() - 1])
    }

    /// Has it been tried?
    #[must_use]
    pub fn is_begun(&self, rung: &Rung) -> bool {
        self.rungs.get(&rung.name()).is_some_and(|entry| entry.tries > 0)
    }

    /// Forgets all about a rung.
    pub fn forget(&mut self, rung: &Rung) {
        self.rungs.remove(&rung.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_stays_done_and_what_broke_since_is_known() {
        let mut entry = Entry::default();
        entry.note(false);
        assert_eq!((entry.done, entry.broken), (false, false));
        entry.note(true);
        assert_eq!((entry.done, entry.broken), (true, false));
        let text = serde_json::to_string(&entry).expect("write it");
        assert!(!text.contains("broken"), "as it was before: {text}");
        entry.note(false);
        assert_eq!((entry.done, entry.broken), (true, true));
        entry.note(true);
        assert_eq!((entry.done, entry.broken), (true, false));
        assert_eq!(entry.tries, 4);
    }

    #[test]
    fn files_of_other_versions_are_read() {
        let old = r#"{"done": true, "tries": 3, "hints": {"fork": 2}}"#;
        let entry: Entry = serde_json::from_str(old).expect("read it");
        assert!(entry.done && !entry.broken);
        assert_eq!(entry.hinted(), 2);
        let new = r#"{"tries": 1, "something": [1]}"#;
        let entry: Entry = serde_json::from_str(new).expect("read it");
        assert_eq!(entry.tries, 1);
    }
}
