//! The ladder is written once, in src/ladder.rs. Pages that list the rungs for
//! a reader are compared with it: one row for each, in order, no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use workshop::ladder::LADDER;

/// Where a reader must find the whole ladder.
const PAGES: [&str; 4] = [
    "README.md",
    "book/src/README.md",
    "book/src/SUMMARY.md",
    // What `cargo doc` shows first.
    "steps/workshop/src/ladder.md",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(page: &str) -> String {
    let path = repository().join(page);
    fs::read_to_string(path).unwrap_or_else(|e| panic!("read {page}: {e}"))
}

/// Each page there is, as it is called in [`PAGES`].
fn pages() -> Vec<String> {
    let mut pages = ["README.md", "steps/workshop/src/ladder.md"]
        .map(str::to_owned)
        .to_vec();
    let mut folders = vec!["book/src".to_owned()];
    while let Some(folder) = folders.pop() {
        let path = repository().join(&folder);
        for entry in fs::read_dir(path).expect("list the book") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            let name = format!("{folder}/{name}");
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.ends_with(".md") {
                pages.push(name);
            }
        }
    }
    pages
}

/// The rung that a row or an item of a list is about, if it begins with one:
/// `| [step03](steps/step03.md) | …`, `- [step03: files](steps/step03.md)`.
fn rung_of(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(['|', '-', ' ', '[', '`']);
    let is_rung = |name: &&str| {
        let number = name.strip_prefix("step").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split([']', ':', '`', ' ']).next().filter(is_rung)
}

/// The rungs of each table, and of each list, that is about nothing else.
fn ladders(text: &str) -> Vec<Vec<&str>> {
    let kind = |line: &str| line.chars().next().filter(|c| "|-".contains(*c));
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.chunk_by(|one, other| kind(one) == kind(other));
    let blocks = blocks.filter_map(|block| match kind(block[0])? {
        // Without its head and the line below that.
        '|' => block.get(2..),
        _ => Some(block),
    });
    let rungs = blocks.filter_map(|rows| {
        let rungs = rows.iter().map(|row| rung_of(row));
        rungs.collect::<Option<Vec<_>>>()
    });
    // Two rows compare two rungs.
    rungs.filter(|rungs| rungs.len() > 2).collect()
}

/// What is wrong with a page, in words.
fn complaint(page: &str, text: &str) -> Option<String> {
    let names: Vec<String> = LADDER.iter().map(|r| r.name()).collect();
    let found = ladders(text);
    if found.is_empty() && PAGES.contains(&page) {
        return Some(format!("{page}: no table has a rung in each row"));
    }
    let wrong = found.into_iter().find(|rungs| *rungs != names)?;
    Some(format!("{page}: rows {wrong:?}, and the ladder has {names:?}"))
}

#[test]
fn every_table_of_the_rungs_has_one_row_for_each() {
    let pages = pages();
    assert!(PAGES.iter().all(|page| pages.iter().any(|p| p == page)));
    let found = pages.iter().filter_map(|page| complaint(page, &read(page)));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_row_that_is_lost_doubled_or_misplaced_would_be_noticed() {
    for page in PAGES {
        let text = read(page);
        let rows = text.lines().filter(|line| line.starts_with(['|', '-']));
        let row = rows.into_iter().find(|row| rung_of(row) == Some("step05"));
        let row = row.unwrap_or_else(|| panic!("{page}: a row of step05"));
        let other = row.replace("step05", "step04");
        let unknown = row.replace("step05", "stepping on");
        for new in ["", &format!("{row}\n{row}\n"), &other, &unknown] {
            let old = format!("{row}\n");
            let new = if new.is_empty() { new } else { &format!("{new}\n") };
            let sabotaged = text.replacen(&old, new, 1);
            assert_ne!(sabotaged, text, "{page}: {row}");
            assert!(complaint(page, &sabotaged).is_some(), "{page}: {new}");
        }
    }
}

/// The file that a learner is to read is named where the ladder is.
#[test]
fn the_readme_names_each_primitive() {
    let readme = read("README.md");
    for rung in &LADDER[1..] {
        let file = format!("`src/{}.rs`", rung.primitive);
        assert!(readme.contains(&file), "{file} of {}", rung.name());
    }
}

#[test]
fn the_rungs_are_the_folders_and_their_order_is_that_of_their_numbers() {
    let folders = fs::read_dir(repository().join("steps")).expect("list");
    let names = folders.flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| rung_of(name) == Some(name)).collect();
    names.sort();
    let rungs: Vec<String> = LADDER.iter().map(|r| r.name()).collect();
    assert_eq!(rungs, names);
    assert!(LADDER.is_sorted_by_key(|rung| rung.number));
    let manifest = read("Cargo.toml");
    for name in rungs {
        let line = format!("\n{name} = {{ path = \"steps/{name}\" }}\n");
        assert!(manifest.contains(&line), "{name} in Cargo.toml");
        let own = read(&format!("steps/{name}/Cargo.toml"));
        // step00's own script says more, and this as well.
        let is_linked = own.contains("\nbuild = \"../link.rs\"\n");
        assert!(is_linked || name == "step00", "{name}: how it is linked");
    }
}

/// Scripts read it by columns.
#[test]
fn it_is_printed_with_a_line_for_each_rung() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    let output = command.arg("ladder").output().expect("start it");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), LADDER.len());
    for (line, rung) in text.lines().zip(LADDER) {
        let columns: Vec<&str> = line.splitn(6, ' ').collect();
        let expected = [
            &rung.name(),
            rung.primitive,
            rung.story,
            rung.subcommand.unwrap_or("-"),
            rung.changes.unwrap_or("-"),
            rung.adds,
        ];
        assert_eq!(columns, expected);
        let file = |name| format!("steps/{}/src/{name}.rs", rung.name());
        assert!(read(&file(rung.story)).contains("fn "), "{line}");
    }
}
