//! Every promise of the threat model names a test, and that is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Each word between backticks in the table of a page.
fn words(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.split('|').nth(3));
    let words = columns.flat_map(|text| text.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of all the rungs' tests.
fn tests(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("list a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => tests(&path, text),
            false if path.extension().is_some_and(|it| it == "rs") => {
                *text += &fs::read_to_string(path).expect("read a test");
            }
            false => {}
        }
    }
}

fn is_there(word: &str, all: &str) -> bool {
    let escapes = repository().join("steps/step10/tests/escapes");
    match word {
        word if word.starts_with("steps/") => repository().join(word).exists(),
        word if word.ends_with(".rs") => {
            let name = Path::new(word).file_name().expect("a name");
            escapes.join(name).exists()
        }
        word => all.contains(&format!("fn {word}()")),
    }
}

#[test]
fn each_promise_has_a_test_of_that_name() {
    let mut all = String::new();
    for number in 3..13 {
        let folder = format!("steps/step{number:02}/tests");
        tests(&repository().join(folder), &mut all);
    }
    for page in ["SECURITY.md", "book/src/beyond/promises.md"] {
        let text = fs::read_to_string(repository().join(page)).expect(page);
        let words = words(&text);
        assert!(words.len() > 25, "{page}: {words:?}");
        for word in words {
            assert!(is_there(&word, &all), "{page} names {word}");
        }
    }
    assert!(!is_there("no_test_has_this_name", &all), "the control");
}
