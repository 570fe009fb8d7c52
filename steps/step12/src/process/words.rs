//! Words of config.json that stand for numbers of the kernel.

use std::ops::BitOr;

use anyhow::{Context, Result};

/// The number for a word.
///
/// # Errors
/// When it is none of these, with the property and the word.
pub(super) fn word<T: Copy>(
    property: &str,
    words: &[(&str, T)],
    wanted: &str,
) -> Result<T> {
    let known = words.iter().find(|(word, _)| *word == wanted);
    known
        .map(|(_, number)| *number)
        .with_context(|| format!("{property}: there is no {wanted:?}"))
}

/// All bits that are named.
///
/// # Errors
/// As above.
pub(super) fn bits<T: Copy + Default + BitOr<Output = T>>(
    property: &str,
    words: &[(&str, T)],
    wanted: &[String],
) -> Result<T> {
    let mut all = T::default();
    for name in wanted {
        all = all | word(property, words, name)?;
    }
    Ok(all)
}
