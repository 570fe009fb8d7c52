//! step00 from outside: the exit status tells what failed, and how.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use witness::{Folder, Machine, Report, run};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

fn step00(command: &[&str]) -> Report {
    run(STEP00, &[&["-q", "--"], command].concat())
}

/// A file in a folder, with this text and these permissions.
fn file(folder: &Folder, name: &str, text: &str, mode: u32) -> String {
    fs::write(folder.join(name), text).expect("write a file");
    chmod(folder, name, mode);
    folder.text(name)
}

fn chmod(folder: &Folder, name: &str, mode: u32) {
    let mode = Permissions::from_mode(mode);
    fs::set_permissions(folder.join(name), mode).expect("chmod");
}

#[test]
fn it_is_the_commands_own() {
    let _machine = Machine::new();
    for status in [0, 1, 42, 124, 255] {
        let report = step00(&["sh", "-c", &format!("exit {status}")]);
        assert_eq!(report.status, status);
        assert_eq!(report.stderr, "", "a command's failure is its own affair");
    }
}

#[test]
fn without_a_command_it_is_that_of_a_shell() {
    let _machine = Machine::new();
    // Its stdin is empty: it has nothing to do.
    let report = run(STEP00, &["-q"]);
    assert_eq!((report.status, &*report.stdout), (0, ""), "{report:?}");
    let bad = run(STEP00, &["-q", "false"]);
    assert_eq!(bad.status, 1, "the control");
}

#[test]
fn a_signal_that_killed_the_command_counts_from_128() {
    let _machine = Machine::new();
    // The last two are real-time signals, which have no names.
    for signal in [1, 2, 9, 11, 13, 15, 34, 64] {
        let script = format!("ulimit -c 0; kill -{signal} $$");
        let report = step00(&["sh", "-c", &script]);
        assert_eq!(report.status, 128 + signal, "{}", report.stderr);
        // The control: it is the signal that ended it, not the script.
        let alone = witness::command("sh").args(["-c", &script]).status();
        assert_eq!(alone.expect("start sh").signal(), Some(signal));
    }
}

#[test]
fn what_is_not_there_is_127() {
    let _machine = Machine::new();
    for name in ["no-such-command", "/no/such/command", "./no-such", ""] {
        let report = step00(&[name]);
        assert_eq!(report.status, 127, "{name:?}: {}", report.stderr);
        assert!(report.stderr.contains("ENOENT"), "{}", report.stderr);
    }
}

#[test]
fn what_is_there_and_cannot_be_executed_is_126() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let good = "#!/bin/sh\nexit 0\n";
    let closed = file(&folder, "closed", good, 0o644);
    let plain = file(&folder, "plain", "exit 0\n", 0o755);
    let through = file(&folder, "through", good, 0o755) + "/it";
    for (path, answer) in [
        (closed.as_str(), "EACCES"),
        (plain.as_str(), "ENOEXEC"),
        (&folder.text(""), "EACCES"),
    ] {
        let report = step00(&[path]);
        assert_eq!(report.status, 126, "{path}: {}", report.stderr);
        assert!(report.stderr.contains(answer), "{path}: {}", report.stderr);
    }
    // A path through a file is one that is not there.
    assert_eq!(step00(&[&through]).status, 127);
    // The control: a bit, and a first line, are what was missing.
    chmod(&folder, "closed", 0o755);
    file(&folder, "plain", good, 0o755);
    assert_eq!(step00(&[&closed]).status, 0);
    assert_eq!(step00(&[&plain]).status, 0);
}

#[test]
fn a_program_that_is_being_written_is_126() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let path = file(&folder, "program", "#!/bin/sh\n", 0o755);
    let writer = File::options().append(true).open(&path).expect("open it");
    let report = step00(&[&path]);
    assert_eq!(report.status, 126);
    assert!(report.stderr.contains("ETXTBSY"), "{}", report.stderr);
    drop(writer);
    assert_eq!(step00(&[&path]).status, 0, "the control");
}

#[test]
fn a_missing_interpreter_is_127_and_is_explained() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let missing = folder.text("interpreter");
    let script = file(&folder, "script", &format!("#!{missing}\n"), 0o755);
    let word = "interpreter or loader";
    let report = step00(&[&script]);
    assert_eq!(report.status, 127);
    assert!(report.stderr.contains(word), "{}", report.stderr);
    // The controls: no script at all, and then an interpreter.
    let report = step00(&[&folder.text("no-script")]);
    assert!(!report.stderr.contains(word), "{}", report.stderr);
    std::os::unix::fs::symlink("/bin/true", &missing).expect("a link");
    assert_eq!(step00(&[&script]).status, 0);
}

#[test]
fn when_the_workshop_itself_fails_it_is_125() {
    let _machine = Machine::new();
    // strace(1) answers in the kernel's place: no more processes, no memory
    // for the gate.
    for (call, answer) in [("clone3", "EAGAIN"), ("socketpair", "EMFILE")] {
        let inject = format!("inject={call}:error={answer}");
        let trace = format!("trace={call}");
        let flags = ["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let command = [STEP00, "-q", "true"];
        let report = run("strace", &[&flags[..], &command].concat());
        assert_eq!(report.status, 125, "{}", report.stderr);
        assert!(report.stderr.contains(answer), "{}", report.stderr);
        let control = run("strace", &[&flags[..5], &command].concat());
        assert_eq!(control.status, 0, "the control: {}", control.stderr);
    }
}

#[test]
fn a_process_that_dies_before_its_command_is_125() {
    let _machine = Machine::new();
    // Its first call, at which it asks to die with its launcher, kills it.
    let flags = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=prctl"];
    let inject = ["-e", "inject=prctl:signal=SIGKILL"];
    let command = [STEP00, "-q", "true"];
    let report = run("strace", &[&flags[..], &inject, &command].concat());
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(report.stderr.contains("was killed"), "{}", report.stderr);
    let control = run("strace", &[&flags[..], &command].concat());
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
}

#[test]
fn it_is_known_even_if_the_launchers_parent_ignores_its_children() {
    let _machine = Machine::new();
    // The kernel keeps no zombies for a parent that ignores SIGCHLD, and an
    // ignored signal stays ignored across execve(2).
    let ignoring = |command: &[&str]| {
        run("env", &[&["--ignore-signal=CHLD"], command].concat())
    };
    let report = ignoring(&[STEP00, "-q", "sh", "-c", "exit 3"]);
    assert_eq!(report.status, 3, "{}", report.stderr);
    let control = ignoring(&["grep", "SigIgn", "/proc/self/status"]).stdout;
    let mask = control.split_whitespace().last().expect("a mask");
    let mask = u64::from_str_radix(mask, 16).expect("as a number");
    assert_ne!(mask & 1 << (17 - 1), 0, "the control: SIGCHLD is ignored");
}
