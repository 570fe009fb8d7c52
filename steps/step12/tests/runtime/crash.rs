//! A command that is killed leaves nothing that the next one does not mend.

use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use witness::{eventually, process};

use crate::Bundle;

/// `create` in the middle: a hook does not end before it is told to.
pub fn in_the_middle(it: &Bundle) -> Child {
    let there = it.folder.join("there").display().to_string();
    let script = format!(": >{there}; exec sleep 1000");
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
    it.change(&[("hooks", json!({ "createRuntime": hook }))]);
    let path = it.folder.path().display().to_string();
    let mut command = it.command(&["create", "--bundle", &path, &it.id]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.stderr(Stdio::null()).spawn().expect("start it");
    eventually("the hook", || it.folder.join("there").exists());
    child
}

pub fn signal(child: &mut Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("send it");
    witness::wait(child);
}

#[test]
fn a_create_that_was_killed_is_made_good() {
    let it = Bundle::new("echo begun", &[]);
    let mut create = in_the_middle(&it);
    assert_eq!(it.state("status"), "creating");
    let inside = process::children(create.id() as i32);
    assert!(!inside.is_empty());
    signal(&mut create, Signal::SIGKILL);
    for pid in inside {
        eventually("the end of what it has made", || {
            process::reap_orphans();
            process::is_gone(pid)
        });
    }
    assert!(!it.groups().is_empty(), "the control");
    // The name can be had again, and the rest goes with it.
    it.change(&[("hooks", json!({}))]);
    it.start();
    it.says("begun");
    it.becomes("stopped");
    it.good(&["delete", &it.id]);
    it.is_gone();
}

#[test]
fn or_it_is_forgotten() {
    let it = Bundle::new("echo begun", &[]);
    let mut create = in_the_middle(&it);
    signal(&mut create, Signal::SIGKILL);
    it.good(&["delete", "--force", &it.id]);
    it.is_gone();
}

#[test]
fn a_create_that_is_interrupted_takes_all_back() {
    for how in [Signal::SIGINT, Signal::SIGTERM] {
        let it = Bundle::new("echo begun", &[]);
        let mut create = in_the_middle(&it);
        signal(&mut create, how);
        it.is_gone();
    }
}

#[test]
fn a_create_that_fails_ends_nobody_in_another_ones_group() {
    let it = Bundle::new("echo begun; while :; do sleep 0.1; done", &[]);
    it.start();
    it.says("begun");
    let (folder, other) =
        (it.folder.path().display().to_string(), format!("{}-other", it.id));
    let text = it.bad(&["create", "--bundle", &folder, &other]);
    assert!(text.contains("in the container's group already"), "{text}");
    assert_eq!(it.state("status"), "running");
    let text = it.bad(&["state", &other]);
    assert!(text.contains("does not exist"), "{text}");
    it.good(&["kill", &it.id, "KILL"]);
    it.becomes("stopped");
    it.good(&["delete", &it.id]);
    // The control: in a group that nobody is in.
    it.start();
    it.says("begun");
}
