//! What has been done, in one file: `.workshop.json` beside Cargo.toml.
//!
//! Not below `target`, or `cargo clean` would remove it; not in the home
//! folder, or two clones would share it. Git ignores it. To delete it is to
//! begin anew, and loses nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use step00::Advice;

use crate::ladder::{LADDER, Repository, Rung};
use crate::text::malformed;

const FILE: &str = ".workshop.json";

/// The file's contents.
#[derive(Debug, Serialize, Deserialize)]
pub struct Progress {
    /// By the name of the rung. A rung that is missing has not been begun.
    #[serde(default)]
    rungs: BTreeMap<String, Entry>,
    #[serde(skip)]
    path: PathBuf,
}

/// What is known of one rung.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The learner's own code has passed its check.
    pub done: bool,
    /// How often the learner's own code has been checked.
    pub tries: u32,
    /// How many hints have been given, by function.
    pub hints: BTreeMap<String, usize>,
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

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
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
