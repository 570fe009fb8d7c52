//! `workshop solution N`: the reference, after a try of one's own.

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;

use crate::ladder::{Repository, Which};
use crate::learn::half::is_as_it_came;
use crate::learn::progress::Progress;

/// The flags of `workshop solution`.
#[derive(Debug, Args)]
pub struct Solution {
    /// The rung: 3 or step03
    #[arg(value_name = "N")]
    rung: Which,

    /// Without having tried
    #[arg(long)]
    anyway: bool,
}

/// Prints it. To have written something, or run `check`, is to have tried.
///
/// # Errors
/// Nothing has been tried yet.
pub fn run(
    args: &Solution,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let rung = args.rung.0;
    let is_tried = || -> Result<bool> {
        Ok(!is_as_it_came(rung, &repository.read_exercise(rung)?)
            || Progress::load(repository)?.is_begun(rung))
    };
    if !args.anyway && !is_tried()? {
        let (path, number) = (rung.exercise(), rung.number);
        bail!(
            "{} is as it came: try it first\n  \
             cargo workshop hint {number}               a hint\n  \
             cargo workshop solution {number} --anyway  if you must",
            path.display()
        );
    }
    for line in rung.solution.lines().filter(|line| !is_anchor(line)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Is it one of the book's marks, at which an excerpt begins or ends?
pub(super) fn is_anchor(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("// ANCHOR: ") || line.starts_with("// ANCHOR_END: ")
}

#[cfg(test)]
mod tests {
    use super::is_anchor;

    #[test]
    fn only_the_book_s_marks_are_left_out() {
        assert!(is_anchor("    // ANCHOR: pivot"));
        assert!(is_anchor("// ANCHOR_END: pivot"));
        assert!(!is_anchor("// the ANCHOR: pivot"));
        assert!(!is_anchor("// ANCHORAGE"));
    }
}
