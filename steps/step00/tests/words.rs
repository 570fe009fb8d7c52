//! step00 from outside: what it says, to whom, and in which colours.

use std::process::Command;

use witness::terminal::Terminal;
use witness::{Machine, run, run_in};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");
/// How a colour begins on a terminal: the escape character.
const ESCAPE: char = '\x1b';

#[test]
fn the_ledger_is_on_stderr_alone_and_quiet_silences_it() {
    let _machine = Machine::new();
    let report = run(STEP00, &["echo", "word"]);
    assert_eq!(report.stdout, "word\n");
    // A line about each subject, and what step00 blinds to: nothing.
    let more = usize::from(cfg!(feature = "exercise")); // whose code it is
    let count = report.stderr.lines().count();
    assert_eq!(count, 13 + more, "{}", report.stderr);
    for subject in ["hostname", "processes", "files", "memory", "syscalls"] {
        let is_about = |line: &&str| line.contains(subject);
        let line = report.stderr.lines().find(is_about).expect(subject);
        assert!(line.contains("SEES") || line.contains("FREE"), "{line}");
    }
    for quiet in ["-q", "--quiet"] {
        let report = run(STEP00, &[quiet, "echo", "word"]);
        assert_eq!(report.stdout, "word\n");
        assert_eq!(report.stderr, "", "{quiet}");
    }
}

#[test]
fn the_ledger_names_the_kernel_and_the_process() {
    let _machine = Machine::new();
    let report = run(STEP00, &["sh", "-c", "echo $$; uname -r"]);
    let first = report.stderr.lines().next().expect("a line");
    for word in report.stdout.lines() {
        assert!(first.contains(word), "{word} is not in: {first}");
    }
}

#[test]
fn the_ledger_is_read_from_the_kernel_and_not_assumed() {
    let _machine = Machine::new();
    // step00 makes no filter, but strace(1) can make one for all it traces.
    let flags = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=prctl"];
    let ledger = |filter: &[&str]| {
        let command = [&flags, filter, &[STEP00, "true"]].concat();
        run("strace", &command).stderr
    };
    let with = ledger(&["--seccomp-bpf"]);
    assert!(with.contains("gagged syscalls"), "{with}");
    let without = ledger(&[]);
    assert!(without.contains("FREE   syscalls"), "the control: {without}");
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let _machine = Machine::new();
    let ledger = |variables: &[(&str, &str)]| {
        let mut command = Command::new(STEP00);
        command.arg("true").env_remove("NO_COLOR");
        command.envs(variables.iter().copied());
        let mut terminal = Terminal::run(command, true);
        assert_eq!(terminal.wait(), 0);
        terminal.screen.clone()
    };
    for (variables, is_coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        // no-color.org: "when present and not an empty string".
        (&[("NO_COLOR", "")], true),
    ] {
        let ledger = ledger(variables);
        assert!(ledger.contains("hostname"), "{ledger}");
        assert_eq!(ledger.contains(ESCAPE), is_coloured, "{variables:?}");
    }
    let report = run(STEP00, &["true"]);
    assert!(!report.stderr.contains(ESCAPE), "this is a pipe");
}

#[test]
fn help_and_version_come_on_stdout() {
    let _machine = Machine::new();
    for flag in ["-h", "--help"] {
        let report = run(STEP00, &[flag]);
        assert_eq!((report.status, &*report.stderr), (0, ""));
        assert!(report.stdout.contains("--quiet"), "{}", report.stdout);
        assert!(report.stdout.lines().all(|l| l.len() <= 100), "too wide");
    }
    // -h says where more is to be found, --help is where.
    let more = "--help explains";
    assert!(run(STEP00, &["-h"]).stdout.contains(more));
    assert!(!run(STEP00, &["--help"]).stdout.contains(more));
    for flag in ["--version", "-V"] {
        let report = run(STEP00, &[flag]);
        let version = format!("step00 {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((report.status, report.stdout), (0, version), "{flag}");
        assert_eq!(report.stderr, "", "{flag}");
    }
    let report = run(STEP00, &["--no-such-flag"]);
    assert_eq!((report.status, &*report.stdout), (2, ""));
    assert!(report.stderr.contains("--no-such-flag"), "{}", report.stderr);
}

#[test]
fn an_error_is_short_and_never_a_panic() {
    let _machine = Machine::new();
    let long = "x".repeat(300);
    let paths = ["no-such-command", "/", "", "\n\x1b[31m", &long];
    for path in paths.map(String::from).into_iter().chain([format!("/{long}")])
    {
        let flags = ["-q", "--", &path];
        for backtrace in ["0", "1", "full"] {
            let variables = [("RUST_BACKTRACE", backtrace)];
            let report = run_in(STEP00, &flags, ".".as_ref(), &variables);
            let said = report.stderr;
            assert!(matches!(report.status, 126 | 127), "{path}: {said}");
            assert!(said.starts_with("step00: execute "), "{said}");
            for bug in ["panicked", "backtrace", "step00::"] {
                assert!(!said.contains(bug), "{said}");
            }
            assert!(said.len() < 400, "{said}");
        }
    }
}

#[test]
fn an_unknown_flag_is_not_proposed_as_the_command() {
    let _machine = Machine::new();
    for flag in ["-i", "-t", "-it", "--memry"] {
        let report = run(STEP00, &[flag, "true"]);
        assert_eq!(report.status, 2);
        let told = format!("unexpected argument '{}'", &flag[..flag.len()]);
        let told = told.replace("-it", "-i");
        assert!(report.stderr.contains(&told), "{}", report.stderr);
        assert!(!report.stderr.contains("as a value"), "{}", report.stderr);
    }
    let report = run(STEP00, &["--quit", "true"]);
    assert!(report.stderr.contains("'--quiet'"), "the control");
}
