//! Has each exercise what its solution has? The two files are compared as
//! texts, so that a function cannot get lost on one side.
//!
//! Whether they compile is for `cargo clippy --features`, and what an
//! unwritten function says is for `scripts/exercises`: both in `.ci/run`.

use std::collections::BTreeMap;

/// A rung, its solution, its exercise, and its lib.rs.
type Rung = [&'static str; 4];

macro_rules! rung {
    ($name:literal, $solution:literal) => {
        [
            $name,
            include_str!(concat!("../../", $name, "/src/", $solution, ".rs")),
            include_str!(concat!("../../", $name, "/src/exercise.rs")),
            include_str!(concat!("../../", $name, "/src/lib.rs")),
        ]
    };
}

const RUNGS: &[Rung] = &[
    rung!("step00", "process"),
    rung!("step01", "uts"),
    rung!("step02", "pid"),
    rung!("step03", "root"),
    rung!("step04", "overlay"),
    rung!("step05", "network"),
    rung!("step06", "user"),
    rung!("step07", "cgroup"),
    rung!("step08", "seccomp"),
];

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
    let lines = before.unwrap_or_default().lines().rev();
    let own = lines.take_while(|line| line.starts_with("///"));
    own.map(str::to_owned).collect()
}

/// The name that the body gives to `unwritten`, if it is left out.
fn left_out(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("unwritten(\"")?;
    rest.split_once("\", file!())").map(|(name, _)| name)
}

/// The lines of a function that are not comments.
fn code(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|l| !l.starts_with("//") && !l.is_empty()).collect()
}

/// What is wrong with a pair of twins, in words.
fn complaints([rung, solution, exercise, _]: &Rung) -> Vec<String> {
    let (ours, theirs) = (functions(solution), functions(exercise));
    let mut found = Vec::new();
    for signature in ours.keys().filter(|s| !theirs.contains_key(*s)) {
        found.push(format!("{rung}: the exercise lacks {signature}"));
    }
    for (signature, text) in &theirs {
        let Some(given) = ours.get(signature) else {
            found.push(format!("{rung}: the solution lacks {signature}"));
            continue;
        };
        let known = code(given);
        let own = code(text);
        let Some(name) = left_out(text) else {
            if own != known {
                found.push(format!("{rung}: {signature} differs"));
            }
            continue;
        };
        // What is given of it is the solution's, too.
        let is_own = |l: &&&str| !known.contains(l) && left_out(l).is_none();
        if let Some(line) = own.iter().find(is_own) {
            found.push(format!("{rung}: {name} is given another {line:?}"));
        }
        if !signature.contains(&format!("fn {name}(")) {
            found.push(format!("{rung}: {signature} says it is {name}"));
        }
        let is_led = text.lines().filter(|l| l.starts_with("    //")).count();
        if is_led < 3 {
            found.push(format!("{rung}: {name} is left out without a word"));
        }
        let documented = documentation(exercise, signature);
        if documented != documentation(solution, signature) {
            found.push(format!("{rung}: {name} has lost its documentation"));
        }
    }
    if !theirs.values().any(|text| left_out(text).is_some()) {
        found.push(format!("{rung}: nothing is left to the learner"));
    }
    found
}

#[test]
fn an_exercise_has_the_functions_of_its_solution() {
    let found: Vec<String> = RUNGS.iter().flat_map(complaints).collect();
    assert!(found.is_empty(), "{found:#?}");
    let count = |rung: &Rung| functions(rung[2]).len();
    assert!(RUNGS.iter().map(count).sum::<usize>() >= 24, "too few are seen");
}

#[test]
fn what_is_lost_would_be_noticed() {
    let [name, solution, exercise, lib] = RUNGS[3];
    let sabotages = [
        ("lacks pub fn pivot", "pub fn pivot(", "pub fn turn("),
        ("lacks pub fn seclude", "pub fn seclude()", "pub fn seclude(a: u8)"),
        ("says it is seclude", "(\"pivot\"", "(\"seclude\""),
        ("name: &str) -> Result<PathBuf> differs", "create_dir", "chdir"),
        ("furnish is given another", "Some(\"sysfs\")", "Some(\"sys\")"),
        ("pivot has lost its documentation", "old one unreachable.\n", "\n"),
        ("pivot is left out without a word", "    //", "    "),
        ("nothing is left to the learner", "unwritten", "panic"),
    ];
    for (complaint, old, new) in sabotages {
        let sabotaged = exercise.replace(old, new);
        assert_ne!(sabotaged, exercise, "{old} is not in the exercise");
        let rung = [name, solution, sabotaged.leak(), lib];
        let found = complaints(&rung).join("\n");
        assert!(found.contains(complaint), "{complaint} in {found:?}");
    }
}

#[test]
fn one_switch_for_each_rung_and_the_editor_has_set_it() {
    for [name, _, _, lib] in RUNGS {
        assert!(lib.contains("#[path = \"exercise.rs\"]"), "{name}");
        let feature = format!("\"{name}/exercise\"");
        assert!(SETTINGS.contains(&feature), "{feature}");
    }
    assert_eq!(SETTINGS.matches("/exercise\"").count(), RUNGS.len());
}
