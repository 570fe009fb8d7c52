//! What changed in the story of a rung (`main.rs`) from one rung to the next.
//!
//! A rung with subcommands has its story in another file, and its chapter shows
//! what is new in the code itself: most of the changes would be what has moved.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use similar::TextDiff;
use workshop::ladder::{LADDER, Rung};

/// The name of each page and what is on it: the changes that make a rung's
/// story of that of the rung below, as `diff -U2` would show them. step00 has
/// none below it, and one that has moved to another file is left out.
///
/// # Errors
/// When a story cannot be read.
pub fn all(repository: &Path) -> Result<Vec<(String, String)>> {
    let neighbours =
        LADDER.windows(2).filter(|pair| pair[0].story == pair[1].story);
    let pages = neighbours.map(|pair| {
        let name = format!("{}.diff", pair[1].name());
        Ok((name, between(repository, &pair[0], &pair[1])?))
    });
    pages.collect()
}

fn between(repository: &Path, lower: &Rung, upper: &Rung) -> Result<String> {
    let story =
        |rung: &Rung| format!("steps/{}/src/{}.rs", rung.name(), rung.story);
    let read = |name: &str| {
        fs::read_to_string(repository.join(name))
            .with_context(|| format!("read {name}"))
    };
    let (old, new) = (story(lower), story(upper));
    let (old_text, new_text) = (read(&old)?, read(&new)?);
    let diff = TextDiff::from_lines(&old_text, &new_text);
    let mut unified = diff.unified_diff();
    Ok(unified.context_radius(2).header(&old, &new).to_string())
}
