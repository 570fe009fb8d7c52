//! What is on record of a container, from its first moment to its last.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use witness::{Machine, eventually, namespace, process, run};

use crate::{Container, STEP11, new_name};

#[test]
fn a_detached_container_outlives_its_command_line() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let state = container.inspect();
    assert_eq!(state["status"], "running");
    assert_eq!(state["command"], json!(["sh", "-c", "exec sleep 1000"]));
    let pid = container.pid();
    for kind in ["user", "mnt", "pid", "uts", "ipc", "net", "cgroup"] {
        let its = namespace(pid, kind);
        assert_eq!(state["kernel"]["namespaces"][kind], its);
        assert_ne!(its, namespace("self", kind), "{kind}");
    }
    // Its launcher has no terminal, no folder and no standard input of ours.
    let launcher = container.number("launcher");
    let parent = process::status(pid, "PPid");
    assert_eq!(parent, Some(launcher.to_string()));
    let link = |file: &str| {
        let path = format!("/proc/{launcher}/{file}");
        let target = fs::read_link(path).expect("read a link");
        target.to_string_lossy().into_owned()
    };
    assert_eq!(link("cwd"), "/");
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(stream), "/dev/null", "{stream}");
    }
    let line = container.line().expect("a line of ps");
    assert!(line.contains(" up ") && line.contains(&pid.to_string()));
    assert!(line.contains(" sh -c exec"), "{line}");
}

#[test]
fn how_it_ended_stays_on_record_until_it_is_removed() {
    let _machine = Machine::new();
    let container = Container::start(&[], "read nothing; exit 7");
    eventually("its end", || container.inspect()["status"] == "exited");
    assert_eq!(container.inspect()["ended"]["status"], 7);
    assert!(container.line().expect("a line").contains("exited 7"));
    assert_eq!(container.call(&["rm"]).status, 0);
    assert_eq!(container.line(), None);
    assert!(!fs::exists(container.folder()).expect("look"));
    let again = container.call(&["rm"]);
    assert_eq!(again.status, 125);
    assert!(again.stderr.contains("find a container"), "{}", again.stderr);
}

#[test]
fn with_rm_nothing_stays() {
    let _machine = Machine::new();
    let container = Container::start(&["--rm"], "read nothing");
    eventually("its record to go", || {
        !fs::exists(container.folder()).expect("look")
    });
    let kept = Container::start(&[], "read nothing");
    eventually("its end", || kept.inspect()["status"] == "exited");
    assert!(fs::exists(kept.folder()).expect("look"), "the control");
}

#[test]
fn a_name_is_for_one_at_a_time() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let name = ["-q", "--rm", "--network", "none", "--name", &container.name];
    let second = run(STEP11, &[&["run"], &name[..], &["true"]].concat());
    assert_eq!(second.status, 125);
    assert!(second.stderr.contains("is in use"), "{}", second.stderr);
    assert_eq!(container.inspect()["status"], "running", "and unharmed");
    assert_eq!(container.call(&["rm", "--force"]).status, 0);
    let second = run(STEP11, &[&["run"], &name[..], &["true"]].concat());
    assert_eq!(second.status, 0, "the control: {}", second.stderr);
}

#[test]
fn without_a_name_it_gets_the_first_that_is_free() {
    let _machine = Machine::new();
    let start = || {
        let flags = ["run", "-qd", "--network", "none", "sleep", "1000"];
        let report = run(STEP11, &flags);
        Container { name: report.stdout.trim_end().to_owned() }
    };
    let (one, two) = (start(), start());
    let number = |container: &Container| -> u32 {
        let number = container.name.strip_prefix("box").expect("box");
        number.parse().expect("a number")
    };
    assert!(number(&one) < number(&two));
    assert_eq!(one.call(&["rm", "--force"]).status, 0);
    assert_eq!(number(&one), number(&start()), "it is free again");
}

#[test]
fn what_is_no_name_is_refused() {
    let _machine = Machine::new();
    for name in ["", ".", "..", ".hidden", "a/b", "a b", "-a", "ä"] {
        let flag = format!("--name={name}");
        let report = run(STEP11, &["run", &flag, "true"]);
        assert_eq!(report.status, 2, "{name:?}: {}", report.stderr);
    }
    for name in ["..", "a/../b", "/etc"] {
        let report = run(STEP11, &["rm", "--force", name]);
        assert_eq!(report.status, 125, "{name:?}");
        assert!(report.stderr.contains("letters, digits"));
    }
    let flags = ["run", "-q", "--rm", "--network", "none", "--name"];
    let report = run(STEP11, &[&flags[..], &["a.B-c_1", "true"]].concat());
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}

#[test]
fn one_in_the_foreground_is_on_record_until_it_is_removed() {
    let _machine = Machine::new();
    let container = Container { name: new_name() };
    let flags = ["run", "-q", "--network", "none", "--name", &container.name];
    let running = witness::start(STEP11, &flags, "");
    eventually("its record", || container.line().is_some());
    assert_eq!(container.pid(), running.pid);
    let inside = container.exec(&[], &["readlink", "/proc/1/ns/pid"]);
    assert_eq!(inside.stdout.trim_end(), namespace(running.pid, "pid"));
    let shown = || run(STEP11, &["ps", "-q"]).stdout;
    let is_shown = |list: String| list.lines().any(|l| l == container.name);
    assert!(is_shown(shown()));
    assert_eq!(running.end().status, 0);
    assert_eq!(container.inspect()["ended"]["status"], 0);
    assert!(!is_shown(shown()), "without -a only what runs");
    assert!(is_shown(run(STEP11, &["ps", "-aq"]).stdout), "the control");
    assert_eq!(container.call(&["rm"]).status, 0);
    assert!(!fs::exists(container.folder()).expect("look"));
}

#[test]
fn records_are_for_their_owner_only() {
    let _machine = Machine::new();
    let secret = ["--env", "PASSWORD=witness"];
    let container = Container::start(&secret, "exec sleep 1000");
    for path in ["/run/workshop", &container.folder()] {
        let mode = fs::metadata(path).expect(path).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
    }
    let state = format!("{}/state.json", container.folder());
    let text = fs::read_to_string(&state).expect("read the state");
    assert!(text.contains("PASSWORD=witness"), "what is to be protected");
}

#[test]
fn what_cannot_start_is_reported_and_leaves_no_record() {
    let _machine = Machine::new();
    for (flags, status, said) in [
        (&["--volume", "/nonexistent:/x"][..], 125, "open a volume"),
        (&["--workdir", "/nonexistent"], 125, "enter /nonexistent"),
        (&["--user", "99999"], 125, "become user 99999"),
    ] {
        let (container, report) = Container::try_start(flags, "true");
        assert_eq!(report.status, status, "{}", report.stderr);
        assert!(report.stderr.contains(said), "{}", report.stderr);
        assert_eq!(report.stdout, "");
        assert!(!fs::exists(container.folder()).expect("look"), "{flags:?}");
    }
    let flags = ["run", "-qd", "--network", "none", "/nonexistent"];
    assert_eq!(run(STEP11, &flags).status, 127);
}

#[test]
fn what_programs_are_told_is_what_the_book_lists() {
    let page = include_str!("../../../../book/src/beyond/json.md");
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let running = container.call(&["inspect"]).stdout;
    witness::shape::compare(page, "step11 inspect", &running);
    let line = run(STEP11, &["ps", "-a", "--format", "json"]).stdout;
    let line = line.lines().find(|line| line.contains(&container.name));
    let object: serde_json::Value =
        serde_json::from_str(line.expect("a line")).expect("JSON");
    let object = serde_json::to_string_pretty(&object).expect("JSON");
    witness::shape::compare(page, "step11 ps --format json", &object);
    let used = container.call(&["stats", "--json"]).stdout;
    witness::shape::compare(page, "step11 stats", &used);
    assert_eq!(container.call(&["stop", "--time", "0"]).status, 0);
    let ended = container.call(&["inspect"]).stdout;
    witness::shape::compare(page, "step11 inspect", &ended);
    assert!(ended.contains("\"status\": 137"), "{ended}");
}

#[test]
fn it_has_a_version_and_a_shell_can_complete_it() {
    let _machine = Machine::new();
    let version = format!("step11 {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(STEP11, &["--version"]).stdout, version);
    let run_version = run(STEP11, &["run", "--version"]);
    assert_eq!(run_version.status, 0, "{}", run_version.stderr);
    let script = run(STEP11, &["completions", "bash"]).stdout;
    for word in ["inspect", "--detach", "--publish"] {
        assert!(script.contains(word), "{word}");
    }
    assert_eq!(run(STEP11, &["completions", "no-shell"]).status, 2);
}

#[test]
fn what_the_caller_has_open_is_not_kept() {
    let _machine = Machine::new();
    let container = Container { name: new_name() };
    // A lock of a script's, and a pipe on whose other end somebody reads.
    let folder = witness::Folder::new();
    let lock = folder.text("lock");
    let script = format!(
        "exec 9>{lock}; flock 9; \"$0\" run -q --detach --network none \
         --name {} sleep 1000 7>&1 >/dev/null",
        container.name
    );
    let report = run("sh", &["-c", &script, STEP11]);
    // That `run` has returned says that nobody has the pipe open.
    assert_eq!(report.status, 0, "{}", report.stderr);
    let free = || run("flock", &["--nonblock", &lock, "true"]).status;
    assert_eq!(free(), 0);
    assert_eq!(container.inspect()["status"], "running");
    let held = format!("exec 9>{lock}; flock 9; flock -n {lock} true");
    assert_eq!(run("sh", &["-c", &held]).status, 1, "the control");
}

#[test]
fn what_it_has_written_does_not_decide_how_it_is_reported() {
    let _machine = Machine::new();
    let script = "i=0; while [ $i -lt 500 ]; do mkdir dddddddddd; cd -P dddddddddd || exit 1; \
        i=$((i+1)); done; exit 7";
    let container = Container::start(&["--changes"], script);
    eventually("its end", || container.inspect()["status"] != "running");
    eventually("its last words", || container.inspect()["status"] != "ending");
    assert_eq!(container.inspect()["ended"]["status"], 7);
}

#[test]
fn a_secret_is_on_no_command_line_and_still_there_for_exec() {
    let _machine = Machine::new();
    let folder = witness::Folder::new();
    let file = folder.text("variables");
    fs::write(&file, "FILED=hunter3\n").expect("write it");
    let name = new_name();
    let call = ["run", "-qd", "--network", "none", "--name", &name];
    let more = ["-e", "NAMED", "--env-file", &file, "-e", "OPEN=seen"];
    let call = [&call[..], &more, &["--", "sleep", "1000"]].concat();
    let here = std::path::Path::new(".");
    let report = witness::run_in(STEP11, &call, here, &[("NAMED", "hunter2")]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let container = Container { name };
    fs::remove_file(&file).expect("it is not needed any more");
    let launcher = container.number("launcher");
    let line = fs::read(format!("/proc/{launcher}/cmdline")).expect("read it");
    let line = String::from_utf8_lossy(&line).into_owned();
    assert!(line.contains("seen"), "the control: {line}");
    assert!(!line.contains("hunter"), "{line}");
    let report = container.exec(&[], &["env"]);
    for wanted in ["NAMED=hunter2\n", "FILED=hunter3\n", "OPEN=seen\n"] {
        assert!(report.stdout.contains(wanted), "{}", report.stdout);
    }
}
