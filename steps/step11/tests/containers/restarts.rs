//! `--restart`: a container that is started again when it has ended.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Folder, Machine, eventually, process, run, run_in};

use crate::{Container, STEP11, new_name};

fn status(container: &Container) -> String {
    container.inspect()["status"].as_str().expect("a word").to_owned()
}

fn restarts(container: &Container) -> Option<u64> {
    container.inspect()["restarts"].as_u64()
}

fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill it");
}

#[test]
fn a_failure_is_tried_again_so_many_times() {
    let _machine = Machine::new();
    let script = "echo tried; exit 3";
    let container = Container::start(&["--restart", "on-failure:2"], script);
    eventually("its last end", || {
        restarts(&container) == Some(2) && status(&container) == "exited"
    });
    assert_eq!(container.log(), "tried\n".repeat(3), "one log for all");
    assert_eq!(container.inspect()["ended"]["status"], 3);
    let line = container.line().expect("a line");
    assert!(line.contains("exited 3") && line.contains("(2)"), "{line}");
    // The controls: no failure, and no policy.
    let fine = Container::start(&["--restart", "on-failure:2"], "exit 0");
    eventually("its end", || status(&fine) == "exited");
    assert_eq!(restarts(&fine), Some(0));
    let none = Container::start(&["--restart", "no"], script);
    eventually("its end", || status(&none) == "exited");
    assert_eq!((restarts(&none), &*none.log()), (None, "tried\n"));
}

#[test]
fn always_is_whatever_the_status_until_it_is_stopped() {
    let _machine = Machine::new();
    for word in ["always", "unless-stopped"] {
        // The first run ends well at once, the second one stays.
        let folder = Folder::new();
        let volume = format!("{}:/count", folder.path().display());
        let script = "echo x >>/count/runs; \
            [ $(wc -l </count/runs) -gt 1 ] || exit 0; exec sleep 1000";
        let map = ["--uid-map", "0:0:1", "--gid-map", "0:0:1"];
        let flags = ["--restart", word, "--volume", &volume];
        let container = Container::start(&[&flags[..], &map].concat(), script);
        eventually("the second run", || {
            status(&container) == "running" && restarts(&container) == Some(1)
        });
        let line = container.line().expect("a line");
        assert!(line.contains(" up ") && line.contains("(1)"), "{line}");
        let launcher = container.number("launcher");
        assert_eq!(container.call(&["stop", "--time", "0"]).status, 0);
        assert_eq!(status(&container), "exited");
        eventually("nobody to start it", || process::is_gone(launcher));
    }
}

#[test]
fn one_that_is_killed_comes_again_with_all_that_it_had() {
    let _machine = Machine::new();
    let flags = ["--restart", "on-failure", "--env", "A=kept"];
    let container = Container::start(&flags, "exec sleep 1000");
    let first = container.pid();
    kill_9(first);
    eventually("another one", || {
        status(&container) == "running" && container.pid() != first
    });
    assert_eq!(restarts(&container), Some(1));
    let exec = container.exec(&[], &["sh", "-c", "echo $A; hostname"]);
    let kept = format!("kept\n{}\n", container.name);
    assert_eq!(exec.stdout, kept, "{}", exec.stderr);
}

#[test]
fn what_waits_to_be_started_can_be_stopped_or_removed() {
    let _machine = Machine::new();
    let end = |words: &[&str]| {
        let container = Container::start(&["--restart", "always"], "exit 4");
        // The pauses double: it waits for longer and longer.
        eventually("a pause", || status(&container) == "restarting");
        eventually("a line that says so", || {
            container.line().is_some_and(|it| it.contains(" restarting, "))
        });
        eventually("an error that says so", || {
            let exec = container.exec(&[], &["true"]);
            exec.stderr.contains("about to be started again (4)")
        });
        let launcher = container.number("launcher");
        let report = container.call(words);
        assert_eq!(report.status, 0, "{}", report.stderr);
        eventually("its launcher's end", || process::is_gone(launcher));
        container
    };
    let stopped = end(&["stop"]);
    assert_eq!(status(&stopped), "exited");
    assert_eq!(stopped.inspect()["ended"]["status"], 4);
    assert_eq!(stopped.call(&["rm"]).status, 0);
    let removed = end(&["rm", "--force"]);
    assert_eq!(removed.line(), None);
}

/// However a stop meets its launcher: at work, waiting, or about to start.
#[test]
fn a_stop_at_any_moment_is_for_good() {
    let _machine = Machine::new();
    for _ in 0..12 {
        let container = Container::start(&["--restart", "always"], "exit 0");
        let launcher = container.number("launcher");
        let report = container.call(&["stop", "--time", "0"]);
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert_eq!(status(&container), "exited");
        eventually("nobody to start it", || process::is_gone(launcher));
        assert_eq!(status(&container), "exited");
    }
}

#[test]
fn without_its_launcher_nobody_starts_it() {
    let _machine = Machine::new();
    let container = Container::start(&["--restart", "always"], "exit 4");
    eventually("a long pause", || {
        restarts(&container) >= Some(3) && status(&container) == "restarting"
    });
    kill_9(container.number("launcher"));
    // It may have been about to start it.
    eventually("the truth", || {
        ["exited", "lost"].contains(&&*status(&container))
    });
    let times = restarts(&container);
    assert_eq!(restarts(&container), times);
    assert_eq!(container.call(&["rm"]).status, 0);
}

/// Paths start where the caller was, and not where the launcher went.
#[test]
fn a_relative_path_is_still_found() {
    let _machine = Machine::new();
    let folder = Folder::new();
    fs::create_dir(folder.join("data")).expect("make a folder");
    let name = new_name();
    let usual = ["run", "-qd", "--network", "none", "--name", &name];
    let flags = ["--restart", "on-failure:1", "--volume", "./data:/data"];
    let map = ["--uid-map", "0:0:1", "--gid-map", "0:0:1"];
    let command = ["--", "sh", "-c", "echo x >>/data/runs; exit 1"];
    let call = [&usual[..], &flags, &map, &command].concat();
    let report = run_in(STEP11, &call, folder.path(), &[]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let container = Container { name };
    eventually("its last end", || {
        restarts(&container) == Some(1) && status(&container) == "exited"
    });
    let runs = fs::read_to_string(folder.join("data/runs"));
    assert_eq!(runs.expect("read it"), "x\nx\n", "{}", container.log());
    assert_ne!(Path::new("."), folder.path(), "the control");
}

#[test]
fn what_cannot_be_started_again_is_in_the_log() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let data = folder.join("data");
    fs::create_dir(&data).expect("make a folder");
    let volume = format!("{}:/data", data.display());
    let flags = ["--restart", "on-failure:1", "--volume", &volume];
    let script = "echo begun; while [ -e /data/go ]; do sleep 0.1; done; \
        exit 1";
    fs::write(data.join("go"), "").expect("write it");
    let container = Container::start(&flags, script);
    eventually("its begin", || container.log().contains("begun"));
    fs::remove_file(data.join("go")).expect("remove it");
    fs::remove_dir(&data).expect("remove it");
    eventually("its last end", || {
        restarts(&container) == Some(1) && status(&container) == "exited"
    });
    let log = container.log();
    assert!(log.contains("start it again: open a volume"), "{log}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let _machine = Machine::new();
    let restart = ["run", "-q", "--network", "none", "--restart"];
    for (flags, status, said) in [
        (&["always", "true"][..], 125, "try: --detach too"),
        (&["always", "-d", "--rm", "true"], 125, "what --rm forgets"),
        (&["sometimes", "-d", "true"], 2, "on-failure:N"),
        (&["on-failure:x", "-d", "true"], 2, "on-failure:N"),
    ] {
        let report = run(STEP11, &[&restart[..], flags].concat());
        assert_eq!(report.status, status, "{flags:?}: {}", report.stderr);
        assert!(report.stderr.contains(said), "{}", report.stderr);
    }
    let report = run(STEP11, &[&restart[..], &["no", "true"]].concat());
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
    let help = run(STEP11, &["run", "--help"]).stdout;
    assert!(help.contains("once the machine was switched off"));
}

/// It may do so for months: nothing may pile up in its launcher, which makes
/// guardians, a cable and a log each time.
#[test]
fn a_launcher_has_no_more_open_after_more_starts() {
    let _machine = Machine::new();
    let name = new_name();
    let call = ["run", "-qd", "--restart", "always", "--name", &name];
    let report = run(STEP11, &[&call[..], &["false"]].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    let container = Container { name };
    let launcher = container.number("launcher");
    eventually("some starts", || restarts(&container) >= Some(4));
    // In a pause it has its own lock, folder and streams, and nobody's else.
    eventually("nothing of them", || {
        let links = fs::read_dir(format!("/proc/{launcher}/fd"));
        let links = links.expect("its launcher").flatten();
        let targets = links.filter_map(|it| fs::read_link(it.path()).ok());
        let is_own = |path: &std::path::PathBuf| {
            path.starts_with(container.folder())
                || path.as_os_str() == "/dev/null"
        };
        let others: Vec<_> = targets.filter(|path| !is_own(path)).collect();
        let threads = fs::read_dir(format!("/proc/{launcher}/task"));
        others.is_empty()
            && threads.expect("its launcher").count() == 1
            && process::children(launcher).is_empty()
    });
}
