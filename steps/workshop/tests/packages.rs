//! Which packages there are is written once, in scripts/packages. Whatever
//! names one to be installed is compared with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is not asked of the learner's machine: Vagrant's box maker has a list
/// of its own.
const OTHERS: [&str; 1] = [".ci/try-vagrant"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines of the list: what is looked for, what for, apt's name, and the
/// names of four others.
fn list() -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository().join("scripts/packages"));
    let text = text.expect("read scripts/packages");
    let mut parts = text.split("package_list='");
    let table = parts.nth(1).expect("the list");
    let table = table.split('\'').next().expect("its end");
    let lines = table.lines().filter(|line| !line.is_empty()).skip(1);
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// apt's names, for one purpose or for all.
fn names(purpose: Option<&str>) -> BTreeSet<String> {
    let lines = list().into_iter().filter(|line| {
        let mut of = line[1].split(',').map(|of| of.split(':').next());
        purpose.is_none_or(|purpose| of.any(|of| of == Some(purpose)))
    });
    let names = lines.flat_map(|line| {
        line[2].split(',').map(str::to_owned).collect::<Vec<_>>()
    });
    names.collect()
}

/// The files below a folder in which something may be said to a learner.
fn files(folder: &str, found: &mut Vec<String>) {
    let entries = fs::read_dir(repository().join(folder));
    for entry in entries.unwrap_or_else(|e| panic!("list {folder}: {e}")) {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        let path = format!("{folder}/{name}");
        match entry.path().is_dir() {
            true if name == "target" || name == "tests" => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn each_line_has_a_name_for_each_package_manager() {
    for line in list() {
        assert_eq!(line.len(), 7, "{line:?}");
        assert_ne!(line[2], "-", "apt has all of them: {line:?}");
    }
}

#[test]
fn what_is_named_to_be_installed_is_in_the_list() {
    let known = names(None);
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".into()];
    for folder in ["book/src", "scripts", ".ci", "steps/workshop/src"] {
        files(folder, &mut pages);
    }
    let mut count = 0;
    for page in pages.iter().filter(|page| !OTHERS.contains(&page.as_str())) {
        let Ok(text) = fs::read_to_string(repository().join(page)) else {
            continue;
        };
        // A line that goes on is one line.
        for line in text.replace("\\\n", " ").lines() {
            let Some((_, rest)) = line.split_once("apt install ") else {
                continue;
            };
            let end =
                |c: char| !c.is_ascii_alphanumeric() && !"-. ".contains(c);
            let rest = rest.split(end).next().unwrap_or_default();
            let words = rest.split_whitespace();
            for word in words.filter(|word| !word.starts_with("--")) {
                assert!(known.contains(word), "{page}: {word}: {line}");
                count += 1;
            }
        }
    }
    assert!(count > 2, "the control: only {count} were found");
}

#[test]
fn the_doctor_asks_for_what_the_virtual_machine_is_made_with() {
    let path = "steps/workshop/src/doctor/tools.rs";
    let doctor = fs::read_to_string(repository().join(path)).expect("read it");
    let vm = names(Some("vm"));
    assert!(vm.contains("mmdebstrap"), "the control: {vm:?}");
    for name in vm {
        assert!(doctor.contains(&format!("\"{name}\"")), "{name}");
    }
}
