//! The files of a group.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes one of them.
///
/// # Errors
/// What the kernel answers; its documents say of each file what it may be.
pub(crate) fn write(group: &Path, file: &str, text: &str) -> Result<()> {
    let path = group.join(file);
    fs::write(&path, text)
        .with_context(|| format!("write {text:?} to {}", path.display()))
}
