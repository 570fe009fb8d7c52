//! The pieces of code and the pictures that a page includes.
//!
//! mdBook itself says nothing of an anchor that is not there: the block is
//! empty then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use regex_lite::Regex;

use crate::book::{Page, files};

/// A piece of a file, and which page wants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The file.
    pub file: PathBuf,
    /// The part of it between `ANCHOR: name` and `ANCHOR_END: name`.
    pub anchor: Option<String>,
}

/// All that a page includes.
pub fn of(page: &Page, folder: &Path) -> Vec<Piece> {
    let form = Regex::new(r"\{\{#include ([^}:\s]+)(?::([^}\s]+))?\s*\}\}");
    let form = form.expect("a regular expression");
    let beside = folder.join(&page.name);
    let beside = beside.parent().expect("a page is in a folder");
    let piece = |found: regex_lite::Captures<'_>| Piece {
        file: beside.join(&found[1]),
        anchor: found.get(2).map(|anchor| anchor.as_str().to_owned()),
    };
    form.captures_iter(&page.text).map(piece).collect()
}

/// What is wrong with a piece; `None` if it is there and something is in it.
pub fn problem(piece: &Piece) -> Option<String> {
    let name = piece.file.display();
    let Ok(text) = fs::read_to_string(&piece.file) else {
        return Some(format!("{name} is not there"));
    };
    let Some(anchor) = &piece.anchor else {
        let is_code = piece.file.extension().is_some_and(|kind| kind == "rs");
        return is_code.then(|| format!("{name}: name a part of it"));
    };
    let line = |word: &str| {
        let wanted = format!("// {word}: {anchor}");
        let found = text.lines().enumerate();
        let mut found = found.filter(|(_, line)| line.trim() == wanted);
        let first = found.next().map(|(number, _)| number);
        first.filter(|_| found.next().is_none())
    };
    match (line("ANCHOR"), line("ANCHOR_END")) {
        (Some(start), Some(end)) if start + 1 < end => None,
        _ => Some(format!("{name}: there is not one anchor {anchor:?}")),
    }
}

/// Every anchor in the code of the rungs.
///
/// # Errors
/// When a folder of the code cannot be read.
pub fn anchors(repository: &Path) -> Result<BTreeSet<Piece>> {
    let mut found = BTreeSet::new();
    for file in files(&repository.join("steps"), "rs")? {
        let text = fs::read_to_string(&file)
            .with_context(|| format!("read {}", file.display()))?;
        // A name is one word; in a string of a test more follows.
        let is_word = |name: &&str| !name.contains('\\');
        let names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("// ANCHOR: "))
            .filter(is_word);
        found.extend(names.map(|name| Piece {
            file: file.clone(),
            anchor: Some(name.to_owned()),
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use witness::Folder;

    #[test]
    fn a_piece_is_there_or_told() {
        let folder = Folder::new();
        let code = "// ANCHOR: a\nfn a() {}\n// ANCHOR_END: a\n\
            // ANCHOR: empty\n// ANCHOR_END: empty\n// ANCHOR: open\nfn b() {}\n";
        fs::write(folder.join("x.rs"), code).expect("write");
        let problem = |name: &str, anchor: Option<&str>| {
            problem(&Piece {
                file: folder.join(name),
                anchor: anchor.map(str::to_owned),
            })
        };
        assert_eq!(problem("x.rs", Some("a")), None);
        for anchor in ["empty", "open", "missing"] {
            assert!(problem("x.rs", Some(anchor)).is_some(), "{anchor}");
        }
        assert!(problem("x.rs", None).is_some(), "a whole file of code");
        assert!(problem("y.svg", None).is_some(), "no such file");
    }

    #[test]
    fn a_page_names_its_pieces() {
        let text = "{{#include ../a.rs:b}}\n{{#include ../p.svg}}";
        let page = Page { name: "steps/x.md".into(), text: text.into() };
        let pieces = of(&page, Path::new("/book"));
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].anchor.as_deref(), Some("b"));
        assert_eq!(pieces[1].file, Path::new("/book/steps/../p.svg"));
    }
}
