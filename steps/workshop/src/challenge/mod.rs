//! `workshop challenge`: more to do on a rung, for who wants more. Each one is
//! small and real: a flag that the rung does not have yet.
//!
//! - `steps/stepNN/exercise/challenges.md` - what is to be done, and hints.
//! - [`step00`] … - how it is looked at from outside, with what `check` has.
//! - `steps/stepNN/exercise/challenges/NAME.patch` - a reference; with it a
//!   look must pass and without it fail, which `.ci/challenges` tries.
//!
//! It is the rung itself that the learner changes, not its exercise.

mod command;

pub mod step00;
pub mod step01;
pub mod step02;
pub mod step03;
pub mod step04;
pub mod step05;
pub mod step06;
pub mod step07;
pub mod step08;
pub mod step09;
pub mod step10;
pub mod step11;
pub mod step12;

pub use command::{Args, find, run};

use crate::check::Look;
use crate::ladder::Rung;
use crate::learn::hint::hints_of;

/// One challenge.
#[derive(Debug, Clone, Copy)]
pub struct Challenge {
    /// How it is called on the command line, and in the rung's text.
    pub name: &'static str,
    /// Does it take control groups of version 2?
    pub with_groups: bool,
    /// Looks at a rung that should be able to do it.
    pub(crate) look: Look,
}

impl Challenge {
    const fn new(name: &'static str, look: Look) -> Challenge {
        Challenge { name, with_groups: false, look }
    }

    const fn with_groups(name: &'static str, look: Look) -> Challenge {
        Challenge { name, with_groups: true, look }
    }

    /// What is to be done: its first line is a title.
    #[must_use]
    pub fn text(&self, rung: &Rung) -> &'static str {
        let title = format!("\n## {}\n", self.name);
        let (_, text) = rung.tasks.split_once(&title).unwrap_or_default();
        let text = text.split("\n## ").next().unwrap_or_default();
        text.split("\n### ").next().unwrap_or_default().trim_matches('\n')
    }

    /// Its hints, the first being the vaguest.
    #[must_use]
    pub fn hints(&self, rung: &Rung) -> Vec<&'static str> {
        hints_of(rung.tasks, self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::ladder::LADDER;

    #[test]
    fn each_has_a_text_a_look_hints_and_a_reference() {
        for rung in LADDER {
            let name = rung.name();
            let count = rung.challenges.len();
            assert!((1..=3).contains(&count), "{name} has {count}");
            let titles = rung.tasks.lines();
            let titles: Vec<&str> =
                titles.filter_map(|line| line.strip_prefix("## ")).collect();
            let names = rung.challenges.iter().map(|one| one.name);
            assert_eq!(titles, names.collect::<Vec<_>>(), "{name}");
            let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let folder = steps.join(&name).join("exercise/challenges");
            let patches = fs::read_dir(&folder).expect("its references");
            assert_eq!(patches.count(), count, "{name}");
            for one in rung.challenges {
                let (text, hints) = (one.text(rung), one.hints(rung));
                assert!(text.lines().count() > 3, "{name} {}", one.name);
                assert!((1..=3).contains(&hints.len()), "{}", one.name);
                let groups = text.contains("cgroup v2");
                assert_eq!(groups, one.with_groups, "{}", one.name);
                let patch = folder.join(format!("{}.patch", one.name));
                assert!(patch.is_file(), "{}", patch.display());
            }
            let is_wide = |line: &&str| line.chars().count() > 80;
            let wide = rung.tasks.lines().find(is_wide);
            assert_eq!(wide, None, "{name}");
        }
    }
}
