//! Does each exercise have what its solution has? The two files are compared
//! as texts, so that no function can get lost on one side.
//!
//! Learners may do as they like in an exercise that they have begun: it is
//! then no longer compared, unless WORKSHOP_UNTOUCHED=1 says that it is the
//! repository's own. Whether an exercise compiles is for `cargo clippy`, and
//! what an unwritten function says for `.ci/exercises`: `.ci/run` has all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use workshop::ladder::{self, LADDER};

/// A rung, with its files as they are.
#[derive(Clone)]
struct Rung {
    name: String,
    solution: &'static str,
    exercise: String,
    library: String,
    /// The functions whose bodies are the learner's: those that have hints.
    left_out: Vec<&'static str>,
}

impl Rung {
    fn of(rung: &'static ladder::Rung) -> Rung {
        let name = rung.name();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = folder.join(&name).join("src");
        let read = |file: &str| {
            let path = source.join(file);
            let text = fs::read_to_string(&path);
            text.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let titles = rung.hints.lines().filter_map(|l| l.strip_prefix("## "));
        Rung {
            solution: rung.solution,
            exercise: read("exercise.rs"),
            library: read("lib.rs"),
            left_out: titles.collect(),
            name,
        }
    }
}

const SETTINGS: &str = include_str!("../../../.vscode/settings.json");

/// The functions of a formatted file: signature, and all of the text up to
/// the end of the body.
fn functions(source: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if !["fn ", "pub fn "].iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let mut text = vec![line];
        text.extend(lines.by_ref().take_while(|line| *line != "}"));
        let text = text.join("\n");
        let (signature, _) = text.split_once(" {\n").expect("a body");
        let words: Vec<&str> = signature.split_whitespace().collect();
        found.insert(words.join(" "), text);
    }
    found
}

/// The lines of documentation right before this function.
fn documentation(source: &str, signature: &str) -> Vec<String> {
    let name = signature.split('(').next().unwrap_or_default();
    let before = source.split(&format!("\n{name}(")).next();
    // The book may begin to quote after the documentation.
    let lines = before.unwrap_or_default().lines().rev();
    let lines = lines.filter(|line| !line.starts_with("// ANCHOR"));
    let own = lines.take_while(|line| line.starts_with("///"));
    own.map(str::to_owned).collect()
}

/// The name that the body gives to `unwritten`, if it is left out.
fn unwritten(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("unwritten(\"")?;
    rest.split_once("\", file!())").map(|(name, _)| name)
}

/// The learner's functions that have been written by now.
fn written(rung: &Rung) -> Vec<String> {
    let functions = functions(&rung.exercise);
    let is_written = |name: &&str| {
        let start = format!("fn {name}(");
        functions.iter().any(|(signature, text)| {
            signature.contains(&start) && unwritten(text).is_none()
        })
    };
    let names = rung.left_out.iter().copied().filter(is_written);
    names.map(|name| format!("{}: {name} is written", rung.name)).collect()
}

/// The lines of a function that are not comments.
fn code(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|l| !l.starts_with("//") && !l.is_empty()).collect()
}

/// What is wrong with a pair of twins, in words.
fn complaints(rung: &Rung) -> Vec<String> {
    let Rung { name, solution, exercise, .. } = rung;
    let (ours, theirs) = (functions(solution), functions(exercise));
    let mut found = Vec::new();
    for signature in ours.keys().filter(|s| !theirs.contains_key(*s)) {
        found.push(format!("{name}: the exercise lacks {signature}"));
    }
    for (signature, text) in &theirs {
        let documented = documentation(exercise, signature);
        let complaint = match ours.get(signature) {
            None => "the solution lacks",
            Some(_) if documented != documentation(solution, signature) => {
                "otherwise documented:"
            }
            Some(given) if !is_given_or_left_out(rung, text, given) => {
                "neither given nor left out:"
            }
            Some(_) if is_without_a_word(text) => "left out without a word:",
            Some(_) => continue,
        };
        found.push(format!("{name}: {complaint} {signature}"));
    }
    found
}

/// What an exercise gives is the solution's, down to the last line of code;
/// what it leaves out says so under its own name.
fn is_given_or_left_out(rung: &Rung, text: &str, solution: &str) -> bool {
    let (own, given) = (code(text), code(solution));
    let Some(name) = unwritten(text) else { return own == given };
    let mut others = own.iter().filter(|line| unwritten(line).is_none());
    rung.left_out.contains(&name)
        && own[0].contains(&format!("fn {name}("))
        && others.all(|line| given.contains(line))
}

fn is_without_a_word(text: &str) -> bool {
    let is_comment = |line: &&str| line.starts_with("    //");
    unwritten(text).is_some() && text.lines().filter(is_comment).count() < 3
}

#[test]
fn an_exercise_has_the_functions_of_its_solution() {
    let is_ours = std::env::var_os("WORKSHOP_UNTOUCHED").is_some();
    for rung in LADDER.iter().map(Rung::of) {
        let written = written(&rung);
        assert!(!is_ours || written.is_empty(), "{written:?}");
        let found = complaints(&rung);
        assert!(found.is_empty() || !written.is_empty(), "{found:#?}");
    }
}

#[test]
fn what_is_lost_would_be_noticed() {
    let sabotages = [
        (3, "lacks pub fn pivot", "pub fn pivot(", "pub fn turn("),
        (3, "lacks pub fn mount_proc", "mount_proc(proc", "mount_proc(p"),
        (3, "left out: pub fn pivot", "(\"pivot\"", "(\"mount_proc\""),
        (3, "left out: pub fn bind_onto_itself", "Path::new(\"/\")", "Path"),
        (3, "documented: pub fn pivot", "old one unreachable.\n", "\n"),
        (3, "without a word: pub fn pivot", "    //", "\t//"),
        (8, "left out: pub fn program", "load(NUMBER)", "load(0)"),
    ];
    for (number, complaint, old, new) in sabotages {
        let whole = Rung::of(&LADDER[number]);
        if !written(&whole).is_empty() {
            continue; // somebody has begun it
        }
        let sabotaged = whole.exercise.replace(old, new);
        assert_ne!(sabotaged, whole.exercise, "{old} is not there");
        let rung = Rung { exercise: sabotaged, ..whole.clone() };
        let found = complaints(&rung).join("\n");
        assert!(found.contains(complaint), "{complaint} in {found:?}");
    }
    let step03 = Rung::of(&LADDER[3]);
    let exercise = step03.solution.to_owned();
    let solved = Rung { exercise, ..step03.clone() };
    assert_eq!(written(&solved).len(), step03.left_out.len());
}

#[test]
fn one_switch_for_each_rung_and_the_editor_has_set_it() {
    for Rung { name, library, .. } in LADDER.iter().map(Rung::of) {
        assert!(library.contains("#[path = \"exercise.rs\"]"), "{name}");
        let feature = format!("\"{name}/exercise\"");
        assert!(SETTINGS.contains(&feature), "{feature}");
    }
    assert_eq!(SETTINGS.matches("/exercise\"").count(), LADDER.len());
}

#[test]
fn what_is_left_out_has_hints_and_nothing_else_has() {
    for rung in LADDER {
        let name = rung.name();
        assert_eq!(Rung::of(rung).left_out, rung.functions(), "{name}");
        assert!(!rung.functions().is_empty(), "{name}");
    }
}
