//! From `create` to `delete`.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use witness::process;

use crate::Bundle;

/// Says so when it begins, and ends at SIGTERM with status 3.
const WAITS: &str =
    "trap 'echo ended; exit 3' TERM; echo begun; while :; do sleep 0.1; done";

#[test]
fn what_was_created_waits_and_has_executed_nothing() {
    let it = Bundle::new(WAITS, &[]);
    it.create(&["--pid-file", &it.folder.join("pid").display().to_string()]);
    let pid = it.pid();
    assert_eq!(it.read("pid"), pid.to_string());
    assert_eq!(it.state("status"), "created");
    assert_eq!(process::name(pid), "step12", "it is still the runtime");
    assert_eq!(it.said(), "");
    for kind in ["uts", "pid", "mnt", "net", "ipc", "cgroup"] {
        let its = witness::namespace(pid, kind);
        assert_ne!(its, witness::namespace("self", kind), "{kind}");
    }
    it.good(&["start", &it.id]);
    // `start` returns when it is through: by now it is another program.
    assert_ne!(process::name(pid), "step12");
    assert_eq!(it.state("status"), "running");
    it.says("begun");
    assert!(it.bad(&["start", &it.id]).contains("already running"));
    let says = it.bad(&["delete", &it.id]);
    assert!(says.contains("that is not stopped: running"), "{says}");
    it.good(&["kill", &it.id, "TERM"]);
    it.says("ended");
    it.becomes("stopped");
    assert_eq!(it.state("pid"), 0);
    assert!(it.bad(&["start", &it.id]).contains("has stopped"));
    assert!(it.bad(&["kill", &it.id]).contains("container not running"));
    it.good(&["kill", "--all", &it.id, "9"]);
    it.good(&["delete", &it.id]);
    it.is_gone();
    assert!(it.bad(&["delete", &it.id]).contains("does not exist"));
    it.good(&["delete", "--force", &it.id]);
}

#[test]
fn the_process_is_the_callers_to_wait_for() {
    let it = Bundle::new("exit 7", &[]);
    it.create(&[]);
    let pid = it.pid();
    assert_eq!(process::status(pid, "PPid"), Some(own()));
    it.good(&["start", &it.id]);
    let pid = nix::unistd::Pid::from_raw(pid);
    let ended =
        witness::within("its end", || nix::sys::wait::waitpid(pid, None));
    let exited = nix::sys::wait::WaitStatus::Exited(pid, 7);
    assert_eq!(ended, Ok(exited));
}

fn own() -> String {
    std::process::id().to_string()
}

#[test]
fn run_returns_the_status_and_forgets() {
    let it = Bundle::new("echo words; exit 7", &[]);
    let report = it.run_it();
    assert_eq!((report.status, &*report.stdout), (7, "words\n"));
    assert_eq!(report.stderr, "");
    it.is_gone();
    let path = it.folder.path().display().to_string();
    let kept = it.run(&["run", "--keep", "--bundle", &path, &it.id]);
    assert_eq!(kept.status, 7);
    assert_eq!(it.state("status"), "stopped");
    it.good(&["delete", &it.id]);
    it.is_gone();
}

#[test]
fn one_that_waits_can_be_killed_or_deleted() {
    let it = Bundle::new("echo never", &[]);
    it.create(&[]);
    it.good(&["kill", &it.id, "KILL"]);
    it.becomes("stopped");
    it.good(&["delete", &it.id]);
    it.create(&[]);
    it.good(&["delete", &it.id]);
    it.is_gone();
    assert_eq!(it.said(), "");
}

#[test]
fn later_changes_of_the_bundle_do_not_count() {
    let it = Bundle::new(
        "hostname; echo $KEPT",
        &[
            ("process/env", json!(["PATH=/bin", "KEPT=yes", "KEPT=really"])),
            ("hostname", json!("before")),
        ],
    );
    it.create(&[]);
    it.change(&[("hostname", json!("after")), ("process", Value::Null)]);
    it.good(&["start", &it.id]);
    it.says("before\nreally\n");
}

#[test]
fn a_name_is_taken_once_and_is_a_plain_one() {
    let it = Bundle::new(WAITS, &[]);
    it.create(&[]);
    let again = it.try_create(&[]);
    assert_eq!(again.status, 1);
    let text = "container with given ID already exists";
    assert!(again.stderr.contains(text), "{}", again.stderr);
    let path = it.folder.path().display().to_string();
    for id in ["../up", "a/b", ".", "..", "", "a b", "ä", &"x".repeat(300)] {
        let says = it.bad(&["create", "--bundle", &path, id]);
        assert!(says.contains("invalid container id"), "{id}: {says}");
        assert!(it.bad(&["state", id]).contains("invalid container id"));
    }
}

#[test]
fn the_list_has_all_of_them() {
    let it = Bundle::new(WAITS, &[("annotations", json!({ "a": "b" }))]);
    assert_eq!(it.good(&["list", "--quiet"]), "");
    it.create(&[]);
    assert_eq!(it.good(&["list", "-q"]), format!("{}\n", it.id));
    let table = it.good(&["list"]);
    assert!(table.starts_with("ID "), "{table}");
    assert!(table.lines().nth(1).is_some_and(|l| l.contains("created")));
    let all = it.good(&["list", "--format", "json"]);
    let all: Vec<Value> = serde_json::from_str(&all).expect("JSON");
    let one = (&all[0]["id"], &all[0]["status"], &all[0]["annotations"]["a"]);
    let id = json!(it.id);
    assert_eq!(one, (&id, &json!("created"), &json!("b")));
}

#[test]
fn processes_are_frozen_and_go_on() {
    let it = Bundle::new(WAITS, &[]);
    it.start();
    it.says("begun");
    let numbers = it.good(&["ps", "--format", "json", &it.id]);
    let numbers: Vec<i32> = serde_json::from_str(&numbers).expect("numbers");
    assert!(numbers.contains(&it.pid()), "{numbers:?}");
    assert!(it.good(&["ps", &it.id]).contains("sh -c"));
    assert!(it.bad(&["resume", &it.id]).contains("not paused"));
    it.good(&["pause", &it.id]);
    assert_eq!(it.state("status"), "paused");
    let says = it.bad(&["exec", &it.id, "true"]);
    assert!(says.contains("paused container"), "{says}");
    it.good(&["resume", &it.id]);
    assert_eq!(it.state("status"), "running");
    it.good(&["exec", &it.id, "true"]);
    it.good(&["pause", &it.id]);
    it.good(&["delete", "--force", &it.id]);
    it.is_gone();
}

#[test]
fn what_it_uses_is_told_and_when_that_is_too_much() {
    // Kept in memory, and not on a disk.
    let script = "while ! test -e /dev/shm/go; do sleep 0.1; done; \
                  head -c 100000000 /dev/zero | tail -c 100000000";
    let it = Bundle::new(
        script,
        &[("linux/resources/memory", json!({ "limit": 32 << 20 }))],
    );
    assert!(it.bad(&["events", &it.id]).contains("does not exist"));
    it.start();
    let line = it.good(&["events", "--stats", &it.id]);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["type"], &line["id"]), (&json!("stats"), &json!(it.id)));
    let processes = line["data"]["pids"]["current"].as_u64();
    assert!(processes.is_some_and(|count| count > 0), "{line}");
    let says = it.bad(&["events", "--interval", "0s", &it.id]);
    assert!(says.contains("--interval"), "{says}");
    let mut events = it.command(&["events", "--interval", "10ms", &it.id]);
    let events = events.stdout(std::process::Stdio::piped());
    let mut events = events.spawn().expect("start it");
    let mut lines = BufReader::new(events.stdout.take().expect("a pipe"));
    let mut next = || {
        let mut line = String::new();
        witness::within("an event", || lines.read_line(&mut line))
            .expect("read it");
        line
    };
    assert!(next().contains("\"stats\""));
    it.good(&["exec", &it.id, "touch", "/dev/shm/go"]);
    while !next().contains("\"oom\"") {}
    let status = witness::wait(&mut events);
    assert!(status.success(), "it ends with the container");
}
