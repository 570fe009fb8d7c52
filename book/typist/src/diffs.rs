//! What changed in the story of a rung (`main.rs`, or where it has subcommands
//! the file of the one that runs a command) from one rung to the next.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use similar::TextDiff;
use workshop::ladder::{LADDER, Rung};

/// The name of each page and what is on it: the changes that make a rung's
/// story of that of the rung below, as `diff -U2` would show them. step00 has
/// none below it.
///
/// # Errors
/// When a story cannot be read.
pub fn all(repository: &Path) -> Result<Vec<(String, String)>> {
    let neighbours = LADDER.windows(2);
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
