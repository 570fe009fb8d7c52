//! kill -9 of everything, and what is told after that.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Machine, Running, eventually, process, run};

use crate::{Container, STEP11, new_name};

/// One with this flag, and a terminal's place for it.
fn in_the_foreground(flags: &[&str]) -> (Container, Running) {
    let container = Container { name: new_name() };
    let usual = ["run", "-q", "--network", "none", "--name", &container.name];
    let all = [&usual[..], flags].concat();
    let running = witness::start(STEP11, &all, "");
    eventually("its record", || container.line().is_some());
    (container, running)
}

fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill it");
}

#[test]
fn without_its_launcher_a_container_is_gone_and_called_lost() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let pid = container.pid();
    kill_9(container.number("launcher"));
    eventually("the process to follow", || process::is_gone(pid));
    assert_eq!(container.inspect()["status"], "lost");
    assert!(container.line().expect("a line").contains(" lost "));
    let report = container.exec(&[], &["true"]);
    assert!(report.stderr.contains("its launcher was killed"));
    assert_eq!(container.call(&["rm"]).status, 0);
    assert_eq!(container.line(), None);
}

#[test]
fn killed_in_the_foreground_with_rm_it_leaves_no_record() {
    let _machine = Machine::new();
    let (container, running) = in_the_foreground(&["--rm"]);
    running.kill();
    // Its guardian does that, and needs no other command for it.
    eventually("its record to go", || {
        !fs::exists(container.folder()).expect("look")
    });
    let (kept, running) = in_the_foreground(&[]);
    running.kill();
    let line = kept.line().expect("a line: the control");
    assert!(line.contains(" lost "), "{line}");
}

#[test]
fn with_its_guardian_dead_as_well_the_next_command_sweeps() {
    let _machine = Machine::new();
    let (container, running) = in_the_foreground(&["--rm"]);
    for child in process::children(running.launcher()) {
        if process::name(child) == "guardian" {
            kill_9(child);
        }
    }
    running.kill();
    assert!(fs::exists(container.folder()).expect("look"), "the control");
    assert_eq!(container.line(), None);
    assert!(!fs::exists(container.folder()).expect("look"));
}

#[test]
fn a_record_that_is_not_finished_is_none() {
    let _machine = Machine::new();
    // It keeps the folder of all folders in place.
    let other = Container::start(&[], "exec sleep 1000");
    let container = Container { name: new_name() };
    let folder = container.folder();
    for text in [None, Some(""), Some("{\"name\": \"half")] {
        fs::create_dir(&folder).expect("make a folder");
        if let Some(text) = text {
            let path = format!("{folder}/state.json");
            fs::write(path, text).expect("write half a state");
        }
        // Nobody holds its lock: it was given up, and is swept away.
        assert_eq!(container.line(), None);
        assert!(!fs::exists(&folder).expect("look"), "{text:?}");
    }
    assert!(other.line().is_some(), "the control");
}

#[test]
fn who_is_being_set_up_is_left_alone() {
    let _machine = Machine::new();
    let container = Container { name: new_name() };
    let folder = container.folder();
    let other = Container::start(&[], "exec sleep 1000");
    fs::create_dir(&folder).expect("make a folder");
    // Held by a process that lives, as by a launcher at work.
    let lock = format!("{folder}/lock");
    let holder = witness::command("flock")
        .args([&lock, "sh", "-c", "echo; cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut holder = holder.expect("hold the lock");
    let mut word = [0];
    let stdout = holder.stdout.as_mut().expect("its stdout");
    std::io::Read::read_exact(stdout, &mut word).expect("hear from it");
    assert_eq!(container.line(), None, "it is not running yet");
    assert!(fs::exists(&folder).expect("look"), "and not swept away");
    drop(holder.stdin.take());
    holder.wait().expect("wait for the holder");
    assert_eq!(container.line(), None);
    assert!(!fs::exists(&folder).expect("look"), "the control");
    drop(other);
}

#[test]
fn killed_at_any_moment_of_its_start_it_leaves_nothing() {
    let _machine = Machine::new();
    let name = new_name();
    for step in 0..10 {
        let flags = ["run", "-qd", "--rm", "--network", "none", "--name"];
        let command = ["sleep", "1000"];
        let mut launcher = Command::new(STEP11)
            .args([&flags[..], &[&name], &command].concat())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("start it");
        // It forks the launcher that stays; both are killed, whoever is
        // there, at a moment that is later each time.
        let pid = launcher.id() as i32;
        for _ in 0..step * 1000 {
            std::hint::spin_loop();
        }
        let children = process::children(pid);
        kill_9(pid);
        children.into_iter().for_each(|child| {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        });
        launcher.wait().expect("wait for it");
        // Whoever came too late for that runs, and is ended.
        run(STEP11, &["rm", "--force", &name]);
        eventually("no record", || {
            run(STEP11, &["ps"]);
            !fs::exists(format!("/run/workshop/{name}")).expect("look")
        });
    }
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    let _machine = Machine::new();
    let start = |_| {
        let flags =
            ["run", "-q", "--rm", "--network", "none", "sh", "-c", "echo hi"];
        let mut command = Command::new(STEP11);
        command.args(flags).stdout(std::process::Stdio::piped());
        command.spawn().expect("start it")
    };
    let all: Vec<_> = (0..12).map(start).collect();
    for child in all {
        let output = child.wait_with_output().expect("wait for it");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout, b"hi\n");
    }
}
