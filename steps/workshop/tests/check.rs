//! `check`, without the rungs: `.ci/sabotages` tries it on those. Here
//! cargo finds no package, so that what is looked at never compiles. (In the
//! virtual machine there is no cargo at all, and nothing to be tried.)

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use witness::Folder;

/// A repository with one exercise that cargo cannot build.
fn folder() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let exercise = folder.join("steps/step01/src/exercise.rs");
    fs::create_dir_all(exercise.parent().expect("src")).expect("make it");
    let package = env!("CARGO_MANIFEST_DIR");
    let untouched = format!("{package}/../step01/exercise/untouched.rs");
    fs::copy(untouched, &exercise).expect("copy an exercise");
    (folder, exercise)
}

/// Only where there is a cargo: learners build on their own machine.
fn has_cargo() -> bool {
    let found = Command::new("cargo").arg("--version").output().is_ok();
    if !found {
        eprintln!("no cargo here");
    }
    found
}

fn check(folder: &Folder, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    command.args(["check", "1", "--repository"]).arg(folder.path());
    command.args(flags).env_remove("RUST_BACKTRACE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn what_does_not_compile_has_been_tried() {
    if !has_cargo() {
        return;
    }
    let (folder, exercise) = folder();
    let tries = |count: usize| {
        let output = check(&folder, &[]).output().expect("start it");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("It does not compile yet"), "{said}");
        assert!(said.contains("cargo workshop hint 1"), "{said}");
        let file = fs::read_to_string(folder.join(".workshop.json"));
        let file = file.unwrap_or_default();
        let noted = file.contains(&format!("\"tries\": {count}"));
        assert_eq!(noted, count > 0, "{file}");
        assert!(!file.contains("\"done\": true"), "{file}");
    };
    tries(0); // as it came
    fs::write(exercise, "fn mine() {}\n").expect("write it");
    tries(1);
    tries(2);
}

#[test]
fn the_reference_is_no_try_of_the_learners() {
    let (folder, exercise) = folder();
    fs::write(exercise, "fn mine() {}\n").expect("write it");
    let output = check(&folder, &["--solution"]).output().expect("start it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("the reference, uts.rs"), "{said}");
    assert!(!folder.join(".workshop.json").exists());
}

/// An editor may write the file, or write another and rename it.
#[test]
fn a_file_that_is_saved_is_checked_again() {
    if !has_cargo() {
        return;
    }
    let (folder, exercise) = folder();
    let mut watcher = check(&folder, &["--watch"]).spawn().expect("start it");
    let stdout = watcher.stdout.take().expect("its stdout");
    let mut lines = BufReader::new(stdout).lines();
    let mut wait = || {
        let mut lines = lines.by_ref().map(|line| line.expect("a line"));
        let checked = lines.by_ref().take_while(|l| !l.starts_with("waiting"));
        checked.filter(|line| line.starts_with("step01:")).count()
    };
    assert_eq!(wait(), 1);
    fs::write(&exercise, "fn one() {}\n").expect("write it");
    assert_eq!(wait(), 1);
    let other = exercise.with_extension("new");
    fs::write(&other, "fn two() {}\n").expect("write another");
    fs::rename(other, &exercise).expect("rename it");
    assert_eq!(wait(), 1);
    // The control: nothing is saved, and only the last file shows.
    fs::write(exercise.with_file_name("notes.txt"), "").expect("write it");
    fs::write(exercise.with_file_name(".exercise.rs.swp"), "").expect("write");
    fs::write(&exercise, "fn three() {}\n").expect("write it");
    assert_eq!(wait(), 1);
    watcher.kill().expect("end it");
    watcher.wait().expect("wait for it");
}
