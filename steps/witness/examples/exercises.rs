//! Runs each rung with a function that nobody has written yet, and looks at
//! what a learner would see, and at what is left behind. `scripts/exercises`
//! builds the rungs and starts this; it names them by what is to be seen:
//!
//! - `step03.solution` does its work: the control.
//! - `step03.unwritten.pivot` names this function, kindly.
//! - `step03.untouched` names any function of step03's.
//! - `step08.over.step03` is a higher rung on an untouched step03.
//! - `step03.bug` panics in its first function: the control for the words.

use std::path::Path;

use witness::{Machine, Report, run_in};

/// What a panic has to say, and an unwritten body has not.
const PANIC: [&str; 2] = ["panicked", "backtrace"];

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of the rungs");
    let entries = std::fs::read_dir(folder).expect("read that folder");
    let mut rungs: Vec<_> =
        entries.map(|entry| entry.expect("read an entry").path()).collect();
    rungs.sort();
    let has_groups = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let mut count = 0;
    for path in &rungs {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let parts: Vec<&str> = name.split('.').collect();
        if !has_groups && parts[0] == "step07" && parts[1] != "solution" {
            println!("{name}: nothing gets there without cgroup v2");
            continue;
        }
        try_one(path, &parts);
        println!("{name}: as it should");
        count += 1;
    }
    assert!(count > 0, "there were no rungs");
    println!("{count} of {} rungs have been tried", rungs.len());
}

fn try_one(path: &Path, parts: &[&str]) {
    let machine = Machine::new();
    let flags: &[&str] = match parts[0] {
        // Only an init has something of step02's to do.
        "step02" => &["--init", "--", "echo", "ran"],
        _ => &["--", "echo", "ran"],
    };
    let path = path.to_str().expect("a plain path");
    let variables = [("RUST_BACKTRACE", "1")];
    let report = run_in(path, flags, Path::new("."), &variables);
    // Namespaces may take a moment to go, but a process must be gone.
    let mut left = machine.changes();
    left.retain(|what| what.contains("process"));
    assert!(left.is_empty(), "{parts:?} left {left:?}");
    is_as_named(parts, &report);
}

fn is_as_named(parts: &[&str], report: &Report) {
    let Report { status, stdout, stderr } = report;
    let rung = parts[0];
    let panics = PANIC.iter().all(|word| stderr.contains(word));
    let mentions = PANIC.iter().any(|word| stderr.contains(word));
    match *parts {
        [_, "solution"] => {
            assert_eq!((*status, stdout.as_str()), (0, "ran\n"), "{stderr}");
            assert!(!stderr.contains("yours"), "{stderr}");
        }
        [_, "bug"] => {
            assert_eq!(*status, 125, "{stderr}");
            assert!(panics && stderr.contains("exercise.rs"), "{stderr}");
            assert!(!stderr.contains("yours"), "{stderr}");
        }
        [_, "unwritten", function] => {
            let expected = words(rung, function, rung);
            assert!(stderr.ends_with(&expected), "{expected:?} in {stderr}");
            assert_eq!((*status, mentions), (125, false), "{stderr}");
        }
        [_, "untouched"] => {
            let expected = words(rung, "", rung);
            assert!(stderr.ends_with(&expected), "{expected:?} in {stderr}");
            assert_eq!((*status, mentions), (125, false), "{stderr}");
        }
        [_, "over", lower] => {
            let expected = words(rung, "", lower);
            assert!(stderr.ends_with(&expected), "{expected:?} in {stderr}");
            assert_eq!((*status, mentions), (125, false), "{stderr}");
        }
        _ => panic!("{parts:?} is no name that means something"),
    }
}

/// The end of what `rung` says. Without a name, any function will do.
fn words(rung: &str, function: &str, home: &str) -> String {
    let start = match function {
        "" => String::new(),
        function => format!("{rung}: {function}"),
    };
    let number = home.trim_start_matches("step0");
    format!(
        "{start} is yours to write: steps/{home}/src/exercise.rs\n  \
         try: cargo workshop hint {number}\n"
    )
}
