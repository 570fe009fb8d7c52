//! A second life, a signal, another name: what is done with containers that
//! are there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use witness::{Machine, eventually, process, run};

use crate::person::Person;
use crate::{Container, STEP11, new_name};

#[test]
fn one_that_has_ended_starts_again_as_it_was() {
    let _machine = Machine::new();
    let folder = witness::Folder::new();
    let name = new_name();
    let volume = ["--volume", "./here:/vol", "--env", "SECRET"];
    let flags = ["run", "-qd", "--network", "none", "--name", &name];
    let here = folder.join("here");
    fs::create_dir(&here).expect("make a folder");
    let open_to_all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&here, open_to_all).expect("open it to all");
    let script = "echo $SECRET >>/vol/words; read nothing; exit 3";
    let call = [&flags[..], &volume, &["--", "sh", "-c", script]].concat();
    let variables = [("SECRET", "hunter2")];
    let report = witness::run_in(STEP11, &call, folder.path(), &variables);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let container = Container { name };
    eventually("its end", || container.inspect()["status"] == "exited");
    let first = container.number("pid");
    // From another folder, and without the variable.
    let again = container.call(&["start"]);
    assert_eq!(again.stdout, format!("{}\n", container.name));
    eventually("its end", || container.inspect()["ended"]["status"] == 3);
    assert_ne!(container.number("pid"), first, "another process");
    let words = fs::read_to_string(here.join("words"));
    assert_eq!(words.expect("read it"), "hunter2\nhunter2\n");
    // Attached, it has our streams, and its status is ours.
    let attached = container.call(&["start", "--attach"]);
    assert_eq!(attached.status, 3, "{}", attached.stderr);
}

#[test]
fn what_cannot_start_again_is_still_on_record() {
    let _machine = Machine::new();
    let folder = witness::Folder::new();
    let file = folder.text("file");
    fs::write(&file, "").expect("write a file");
    let volume = format!("{file}:/file");
    let container = Container::start(&["--volume", &volume], "exit 4");
    eventually("its end", || container.inspect()["status"] == "exited");
    fs::remove_file(&file).expect("remove it");
    let report = container.call(&["start"]);
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("open a volume"), "{}", report.stderr);
    assert_eq!(container.inspect()["ended"]["status"], 4);
    fs::write(&file, "").expect("write a file");
    let report = container.call(&["start"]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}

#[test]
fn to_start_what_runs_is_no_error_and_changes_nothing() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let pid = container.pid();
    let report = container.call(&["start"]);
    assert_eq!(report.stdout, format!("{}\n", container.name));
    assert_eq!(container.pid(), pid);
    let report = container.call(&["restart", "--time", "0"]);
    assert_eq!(report.stdout, format!("{}\n", container.name));
    assert_ne!(container.pid(), pid, "the control");
    assert!(process::is_gone(pid));
}

#[test]
fn one_with_rm_is_there_again_after_a_restart() {
    let _machine = Machine::new();
    let container = Container::start(&["--rm"], "exec sleep 1000");
    let report = container.call(&["restart", "-t", "0"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(container.inspect()["status"], "running");
    assert_eq!(container.call(&["kill"]).status, 0);
    assert!(!fs::exists(container.folder()).expect("look"), "the control");
}

#[test]
fn a_signal_is_the_one_that_was_asked_for() {
    let _machine = Machine::new();
    let script = "trap 'echo hup' HUP; trap 'echo usr1' USR1; echo ready; \
        while :; do sleep 1000 & wait; done";
    let container = Container::start(&[], script);
    eventually("the traps", || container.log().contains("ready"));
    for (signal, word) in
        [("HUP", "hup\n"), ("SIGUSR1", "usr1\n"), ("1", "hup\n")]
    {
        let before = container.log().matches(word).count();
        let report = container.call(&["kill", "--signal", signal]);
        assert_eq!(report.status, 0, "{signal}: {}", report.stderr);
        assert_eq!(report.stderr, "", "{signal} arrives");
        eventually(signal, || {
            container.log().matches(word).count() == before + 1
        });
    }
    // It has no handler for this one, and is PID 1.
    let report = container.call(&["kill", "-s", "term"]);
    assert!(report.stderr.contains("SIGTERM dropped"), "{}", report.stderr);
    assert_eq!(container.inspect()["status"], "running");
    for wrong in ["NOPE", "0", "65", ""] {
        let report = container.call(&["kill", "--signal", wrong]);
        assert_eq!(report.status, 2, "{wrong}: {}", report.stderr);
    }
    let report = container.call(&["kill"]);
    assert_eq!((report.status, &*report.stderr), (0, ""));
    assert_eq!(container.inspect()["ended"]["status"], 137, "the default");
    let report = container.call(&["kill"]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("does not run"), "{}", report.stderr);
}

#[test]
fn to_wait_is_to_hear_how_it_ended() {
    let _machine = Machine::new();
    let container =
        Container::start(&[], "mkfifo /gate; read x </gate; exit 9");
    let words = ["wait", &container.name];
    let mut waiting = std::process::Command::new(STEP11);
    let waiting = waiting.args(words).stdout(std::process::Stdio::piped());
    let mut waiting = waiting.spawn().expect("wait for it");
    eventually("the gate", || {
        container.exec(&[], &["test", "-p", "/gate"]).status == 0
    });
    let over = waiting.try_wait().expect("look at it");
    assert!(over.is_none(), "it waits: the control");
    container.exec(&[], &["sh", "-c", "echo >/gate"]);
    let output = waiting.wait_with_output().expect("its end");
    assert_eq!(output.stdout, b"9\n");
    assert_eq!(container.call(&["wait"]).stdout, "9\n", "again");
    let report = run(STEP11, &["wait", "witness-nobody"]);
    assert_eq!(report.status, 125);
}

#[test]
fn another_name_is_for_the_same_container() {
    let _machine = Machine::new();
    let other = Container::start(&[], "exec sleep 1000");
    let old = Container::start(&["--rm"], "exec sleep 1000");
    let new = Container { name: new_name() };
    let pid = old.pid();
    let taken = run(STEP11, &["rename", &old.name, &other.name]);
    assert_eq!(taken.status, 125);
    assert!(taken.stderr.contains("is in use"), "{}", taken.stderr);
    let report = run(STEP11, &["rename", &old.name, &new.name]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!((new.pid(), old.line()), (pid, None));
    assert_eq!(new.inspect()["name"], *new.name);
    let hostname = new.exec(&[], &["sh", "-c", "hostname; echo $HOSTNAME"]);
    assert_eq!(hostname.stdout, format!("{0}\n{0}\n", old.name));
    // Whoever has the old name now is not taken for it when it ends.
    let report = run(STEP11, &["rename", &other.name, &old.name]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(new.call(&["kill"]).status, 0);
    eventually("its record to go", || {
        !fs::exists(new.folder()).expect("look")
    });
    assert_eq!(old.inspect()["status"], "running");
}

#[test]
fn how_one_with_rm_has_ended_is_heard_by_who_waits() {
    let _machine = Machine::new();
    for status in ["0", "9"] {
        let script = format!("mkfifo /gate; read x </gate; exit {status}");
        let container = Container::start(&["--rm"], &script);
        eventually("the gate", || {
            container.exec(&[], &["test", "-p", "/gate"]).status == 0
        });
        let wait = || {
            let mut wait = std::process::Command::new(STEP11);
            wait.args(["wait", &container.name]);
            wait.stdout(std::process::Stdio::piped()).spawn()
        };
        let all = [wait(), wait()].map(|wait| wait.expect("wait for it"));
        // Both have asked not to be left without an answer.
        // proc_locks(5): each lock is a line with the inode that it is on.
        let readers = format!("{}/readers", container.folder());
        let shares = || {
            let file = fs::metadata(&readers).map(|found| found.ino());
            let inode = format!(":{} ", file.unwrap_or_default());
            let locks = fs::read_to_string("/proc/locks").expect("the locks");
            locks.lines().filter(|line| line.contains(&inode)).count()
        };
        eventually("two readers", || shares() == 2);
        container.exec(&[], &["sh", "-c", "echo >/gate"]);
        for waiting in all {
            let output = waiting.wait_with_output().expect("its end");
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said, format!("{status}\n"));
        }
        eventually("its record to go", || {
            !fs::exists(container.folder()).expect("look")
        });
    }
}

/// In a folder of their own: others have records in /run.
#[test]
fn pruned_is_what_has_ended_and_nothing_else() {
    let _machine = Machine::new();
    let person = Person::new();
    let usual = ["run", "-q", "--rootless", "--name"];
    let runs = [&usual[..], &["runs", "-d", "sleep", "1000"]].concat();
    for words in [&runs[..], &[&usual[..], &["over", "true"]].concat()] {
        let report = person.run(words);
        assert_eq!(report.status, 0, "{}", report.stderr);
    }
    let all = ["ps", "--rootless", "-aq"];
    assert_eq!(person.run(&all).stdout, "over\nruns\n", "the control");
    let report = person.run(&["prune", "--rootless", "-f"]);
    assert_eq!(report.stdout, "over\n", "{}", report.stderr);
    assert_eq!(person.run(&all).stdout, "runs\n");
    let report = person.run(&["rm", "--rootless", "-f", "over", "runs"]);
    // What goes wrong with one does not save the other.
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("a container over"), "{}", report.stderr);
    assert_eq!((&*report.stdout, &*person.run(&all).stdout), ("runs\n", ""));
}
