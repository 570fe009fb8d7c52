//! Logs, and how containers are ended.

use std::fs;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Machine, eventually, process, run};

use crate::{Container, STEP11};

#[test]
fn the_log_has_both_streams_in_their_order() {
    let _machine = Machine::new();
    let script = "echo one; echo two >&2; echo three; cat; exec sleep 1000";
    let container = Container::start(&[], script);
    eventually("three lines", || container.log().lines().count() == 3);
    assert_eq!(container.log(), "one\ntwo\nthree\n");
    // A log is kept when the container has ended.
    assert_eq!(container.call(&["stop", "--time", "0"]).status, 0);
    assert_eq!(container.log(), "one\ntwo\nthree\n");
}

#[test]
fn the_last_words_are_not_lost() {
    let _machine = Machine::new();
    let script = "i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done";
    let container = Container::start(&[], script);
    let follow = container.call(&["logs", "--follow"]);
    assert_eq!(follow.status, 0);
    let expected: String = (0..500).map(|i| format!("{i}\n")).collect();
    assert_eq!(follow.stdout, expected);
    assert_eq!(container.inspect()["status"], "exited");
}

#[test]
fn to_follow_is_to_wait_for_the_end() {
    let _machine = Machine::new();
    let script = "mkfifo /gate; echo begun; read word </gate; echo $word";
    let container = Container::start(&[], script);
    let follow = Command::new(STEP11)
        .args(["logs", "--follow", &container.name])
        .stdout(Stdio::piped())
        .spawn()
        .expect("follow the log");
    eventually("the gate", || container.log() == "begun\n");
    // Its status says nothing: who opens the gate may be killed with the rest.
    container.exec(&[], &["sh", "-c", "echo open >/gate"]);
    let output = follow.wait_with_output().expect("wait for it");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "begun\nopen\n");
}

#[test]
fn a_log_has_a_largest_size() {
    let _machine = Machine::new();
    let script = "yes workshop | head -c 9000000; echo; echo the end";
    let container = Container::start(&[], script);
    eventually("its end", || container.inspect()["status"] == "exited");
    let size = |file: &str| {
        let path = format!("{}/{file}", container.folder());
        fs::metadata(path).map_or(0, |found| found.len())
    };
    let sizes = [size("log"), size("log.1")];
    assert!(sizes.iter().all(|&size| size < 5 << 20), "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() > 4 << 20, "{sizes:?}");
    let log = container.log();
    assert!(log.ends_with("\nthe end\n"));
    assert_eq!(log.len() as u64, sizes.iter().sum::<u64>());
}

#[test]
fn who_has_seen_enough_is_no_error() {
    let _machine = Machine::new();
    let script = "yes workshop | head -c 1000000; exec sleep 1000";
    let container = Container::start(&[], script);
    eventually("a long log", || container.log().len() == 1_000_000);
    let pipe = format!("{STEP11} logs {} | head -n 1", container.name);
    let report = run("bash", &["-c", &format!("set -o pipefail; {pipe}")]);
    assert_eq!((report.status, &*report.stdout), (0, "workshop\n"));
    assert_eq!(report.stderr, "");
}

#[test]
fn stop_asks_first() {
    let _machine = Machine::new();
    let script = "trap 'echo asked; exit 5' TERM; echo ready; \
        while :; do sleep 1000 & wait; done";
    let container = Container::start(&[], script);
    eventually("the trap", || container.log().contains("ready"));
    let pid = container.pid();
    let report = container.call(&["stop"]);
    assert_eq!(report.stdout, format!("{}\n", container.name));
    assert!(process::is_gone(pid));
    assert!(container.log().ends_with("asked\n"));
    assert_eq!(container.inspect()["ended"]["status"], 5);
    // To stop what has ended is no error.
    assert_eq!(container.call(&["stop"]).status, 0);
}

#[test]
fn stop_kills_what_does_not_listen() {
    let _machine = Machine::new();
    // PID 1 has no handler, and so the kernel drops SIGTERM.
    let container = Container::start(&[], "exec sleep 1000");
    assert_eq!(container.call(&["stop", "--time", "1"]).status, 0);
    assert_eq!(container.inspect()["ended"]["status"], 137);
    // The control: with an init before it, the request arrives.
    let container = Container::start(&["--init"], "exec sleep 1000");
    assert_eq!(container.call(&["stop", "--time", "1000"]).status, 0);
    assert_eq!(container.inspect()["ended"]["status"], 143);
}

#[test]
fn what_runs_is_removed_by_force_only() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let refused = container.call(&["rm"]);
    assert_eq!(refused.status, 125);
    assert!(refused.stderr.contains("rm --force"), "{}", refused.stderr);
    assert!(refused.stderr.contains("it runs"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("EAGAIN"), "{}", refused.stderr);
    let pid = container.pid();
    assert!(!process::is_gone(pid));
    assert_eq!(container.call(&["rm", "--force"]).status, 0);
    assert!(process::is_gone(pid));
    assert_eq!(container.line(), None);
}

#[test]
fn one_without_a_log_says_so() {
    let _machine = Machine::new();
    let name = crate::new_name();
    let flags = ["run", "-q", "--network", "none", "--name", &name];
    let running = witness::start(STEP11, &flags, "");
    let container = Container { name };
    eventually("its record", || container.line().is_some());
    let report = container.call(&["logs"]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("--detach"), "{}", report.stderr);
    running.end();
}

#[test]
fn a_launcher_that_was_stopped_goes_on_to_see_the_end() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let launcher = Pid::from_raw(container.number("launcher"));
    kill(launcher, Signal::SIGSTOP).expect("stop it");
    let is_stopped = || {
        let state = process::status(launcher.as_raw(), "State");
        state.is_some_and(|state| state.starts_with('T'))
    };
    eventually("it to stop: the control", is_stopped);
    let report = container.call(&["rm", "--force"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(report.stderr.contains("was stopped"), "{}", report.stderr);
    assert_eq!(container.line(), None);
}

#[test]
fn a_launcher_that_does_not_come_to_an_end_is_named() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exit 3");
    eventually("its end", || container.inspect()["status"] == "exited");
    eventually("its launcher's end", || {
        process::is_gone(container.number("launcher"))
    });
    // This test has its lock, as a launcher has that hangs.
    let lock = format!("{}/lock", container.folder());
    let file = fs::File::open(lock).expect("open the lock");
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock);
    let lock = lock.map_err(|(_, errno)| errno).expect("take it");
    let report = container.call(&["rm", "--force"]);
    assert_eq!(report.status, 125, "{}", report.stdout);
    let holder = format!("process {} (", std::process::id());
    assert!(report.stderr.contains(&holder), "{}", report.stderr);
    drop(lock);
    let report = container.call(&["rm", "--force"]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}
