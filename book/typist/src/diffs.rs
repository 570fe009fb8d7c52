//! What changed in `main.rs` from one rung to the next.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use similar::TextDiff;

/// The last rung there is.
pub const LAST: u32 = 11;

/// The changes that make a rung's `main.rs` of that of the rung below, as
/// `diff -U2` would show them. step00 has none below it.
///
/// # Errors
/// When a `main.rs` cannot be read.
pub fn of(repository: &Path, rung: u32) -> Result<String> {
    let main = |rung| format!("steps/step{rung:02}/src/main.rs");
    let read = |name: &str| {
        fs::read_to_string(repository.join(name))
            .with_context(|| format!("read {name}"))
    };
    let (old, new) = (main(rung - 1), main(rung));
    let (old_text, new_text) = (read(&old)?, read(&new)?);
    let diff = TextDiff::from_lines(&old_text, &new_text);
    let mut unified = diff.unified_diff();
    Ok(unified.context_radius(2).header(&old, &new).to_string())
}
