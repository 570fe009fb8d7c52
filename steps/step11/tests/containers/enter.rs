//! `exec`: a second process that is in the same container as the first.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde_json::Value;
use witness::terminal::Terminal;
use witness::{Folder, Machine, eventually, namespace, process, run};

use crate::person::{self, Person};
use crate::{Container, MAP, STEP11};

const LOOK: &str = "grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups)' \
    /proc/self/status; for kind in user mnt pid uts ipc net cgroup time; do \
    readlink /proc/self/ns/$kind; done; ulimit -n; ls /proc/self/fd | \
    wc -l; pwd";

#[test]
fn a_second_process_is_in_all_things_like_the_first() {
    let _machine = Machine::new();
    let flags = "--cap-drop net_raw --cap-add sys_time --rlimit nofile=50 \
        --boottime-offset 5000 --workdir /tmp";
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let script = format!("{LOOK}; exec sleep 1000");
    for more in
        [&[][..], &["--init"], &["--user", "1000:50"], &["--seccomp", "none"]]
    {
        let flags = [&MAP[..], &flags, more].concat();
        let container = Container::start(&flags, &script);
        let second = container.exec(&[], &["sh", "-c", LOOK]);
        assert_eq!(second.stderr, "");
        eventually("the first look", || container.log().contains("/tmp\n"));
        let first = container.log();
        assert_eq!(second.stdout, first, "{more:?}");
        assert!(first.contains("user:[") && first.contains("Seccomp:"));
    }
}

#[test]
fn it_is_a_process_of_the_same_machine() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let flags = ["exec", &container.name, "--"];
    let second = witness::start(STEP11, &flags[..2], "");
    for kind in ["user", "mnt", "pid", "uts", "ipc", "net", "cgroup"] {
        let its = namespace(second.pid, kind);
        assert_eq!(its, namespace(container.pid(), kind), "{kind}");
        assert_ne!(its, namespace("self", kind), "{kind}");
    }
    // Both count: here, and in the container.
    let numbers = second.status("NSpid");
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    assert_eq!(numbers.len(), 2);
    assert_ne!(numbers[1], "1");
    assert_eq!(second.end().status, 0);
}

#[test]
fn the_program_of_its_launchers_can_be_changed_by_nobody() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let second =
        witness::start(STEP11, &["exec", container.name.as_str()], "");
    let parent = process::status(second.pid, "PPid").expect("its launcher");
    let entering = parent.parse().expect("a number");
    for launcher in [container.number("launcher"), entering] {
        let program = format!("/proc/{launcher}/exe");
        let mode = fs::metadata(&program).expect("look at it").permissions();
        // The mode that it has, and by the machine's own root.
        let answer = fs::set_permissions(&program, mode).expect_err("EROFS");
        assert_eq!(answer.raw_os_error(), Some(libc::EROFS));
    }
    // The control: this program is executed as it lies there.
    let own = "/proc/self/exe";
    let mode = fs::metadata(own).expect("look at it").permissions();
    fs::set_permissions(own, mode).expect("set the mode that it has");
    assert_eq!(second.end().status, 0);
}

#[test]
fn what_the_machine_shares_with_it_need_not_be_joined() {
    let _machine = Machine::new();
    let host = ["--network", "host", "--ipc", "host"];
    let name = crate::new_name();
    let start = ["run", "-qd", "--name", &name];
    let report =
        run(STEP11, &[&start[..], &host, &["sleep", "1000"]].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    let container = Container { name };
    let second = container.exec(&[], &["readlink", "/proc/self/ns/net"]);
    assert_eq!(second.stdout.trim_end(), namespace("self", "net"));
}

#[test]
fn its_status_streams_and_flags_are_its_own() {
    let _machine = Machine::new();
    let flags = [&MAP[..], &["--env", "A=1"]].concat();
    let container = Container::start(&flags, "exec sleep 1000");
    let script = "echo out; echo err >&2; exit 9";
    let report = container.exec(&[], &["sh", "-c", script]);
    assert_eq!(report.status, 9);
    assert_eq!((&*report.stdout, &*report.stderr), ("out\n", "err\n"));
    let killed = container.exec(&[], &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(killed.status, 143);

    let flags = ["--user", "7:8", "--workdir", "/tmp", "--env", "B=2"];
    let script = "id -u; id -g; pwd; echo $A $B $HOSTNAME";
    let report = container.exec(&flags, &["sh", "-c", script]);
    let expected = format!("7\n8\n/tmp\n1 2 {}\n", container.name);
    assert_eq!(report.stdout, expected, "{}", report.stderr);
    let missing = container.exec(&[], &["/nonexistent"]);
    assert_eq!(missing.status, 127);
    let nowhere = container.exec(&["--workdir", "/nonexistent"], &["true"]);
    assert_eq!(nowhere.status, 125);
    assert!(nowhere.stderr.contains("--workdir"), "{}", nowhere.stderr);
}

#[test]
fn its_user_is_looked_up_in_the_container_as_it_is_now() {
    let _machine = Machine::new();
    let container = Container::start(&MAP, "exec sleep 1000");
    let who = |flags: &[&str]| {
        let script = "echo $(id -u) $(id -g) $(grep Groups: \
            /proc/self/status | cut -c 9-) $HOME";
        container.exec(flags, &["sh", "-c", script])
    };
    assert_eq!(who(&[]).stdout, "0 0 /root\n");
    assert_eq!(who(&["-u", "7"]).stdout, "7 0 /\n", "in no line");
    let missing = who(&["-u", "ann"]);
    assert_eq!(missing.status, 125);
    let said = "find the user ann: not in /etc/passwd";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);
    let add = "echo ann:x:7:8::/home/ann: >>/etc/passwd; \
        echo audio:x:29:ann >>/etc/group";
    assert_eq!(container.exec(&[], &["sh", "-c", add]).status, 0);
    assert_eq!(who(&["-u", "ann"]).stdout, "7 8 29 /home/ann\n");
    assert_eq!(who(&["-u", "7"]).stdout, "7 8 29 /home/ann\n");
    assert_eq!(who(&["-u", "ann:audio"]).stdout, "7 29 /home/ann\n");
    let given = ["-u", "ann", "-e", "HOME=/tmp"];
    assert_eq!(who(&given).stdout, "7 8 29 /tmp\n", "a flag's word counts");
    // A pipe in its place would be waited for.
    let pipe = "rm /etc/passwd; mkfifo /etc/passwd";
    assert_eq!(container.exec(&[], &["sh", "-c", pipe]).status, 0);
    let command = ["sh", "-c", "echo $HOME"];
    let entered = container.exec(&["-u", "0"], &command);
    assert!(entered.stderr.contains("no plain file"), "{entered:?}");
    let entered = container.exec(&["-u", "0:0"], &command);
    assert_eq!(entered.stdout, "/\n", "in numbers: {}", entered.stderr);
}

#[test]
fn the_streams_of_both_can_be_opened_by_their_names() {
    let _machine = Machine::new();
    let script = "echo 1 >/dev/stdout; echo 2 >/dev/stderr; exit 3";
    for more in [&["--user", "0"][..], &["--user", "1000:50"]] {
        let first = format!("({script}); exec sleep 1000");
        let container = Container::start(&[&MAP[..], more].concat(), &first);
        eventually("its log", || container.log() == "1\n2\n");
        // In pipes, as the witness has them.
        let second = container.exec(&[], &["sh", "-c", script]);
        assert_eq!((&*second.stdout, second.status), ("1\n", 3), "{more:?}");
        assert_eq!(second.stderr, "2\n");
        // In a file that is root's, with what others write before and after.
        let file = Folder::new();
        let line =
            "(echo 0; \"$0\" exec \"$1\" sh -c \"$2\"; echo $?) >\"$3\" 2>&1";
        let path = file.text("f");
        let words = ["-c", line, STEP11, &container.name, script, &path];
        assert_eq!(run("sh", &words).status, 0);
        let written = fs::read_to_string(&path).expect("a file");
        assert_eq!(written, "0\n1\n2\n3\n", "{more:?}");
        // The control: what is not one of its streams is closed to it.
        let other = "echo x >/proc/1/fd/1";
        let report = container.exec(&["-u", "7:7"], &["sh", "-c", other]);
        assert_ne!(report.status, 0, "the control");
    }
}

#[test]
fn it_ends_with_its_launcher_and_the_container_goes_on() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let flags = ["exec", &container.name];
    let second = witness::start(STEP11, &flags, "exec cat");
    let pid = Pid::from_raw(second.pid);
    second.kill();
    // An orphan is this test's, as it would be the machine's init's. And the
    // PID 1 of a namespace ends only when all others in there have not only
    // ended but been waited for.
    waitpid(pid, None).expect("wait for an orphan");
    assert_eq!(container.inspect()["status"], "running");
}

#[test]
fn it_ends_with_the_container() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let second = witness::start(STEP11, &["exec", &container.name], "");
    assert_eq!(container.call(&["stop", "--time", "0"]).status, 0);
    assert_eq!(second.wait().status, 137, "killed by the kernel");
}

#[test]
fn who_waits_inside_cannot_look_at_the_launcher() {
    let _machine = Machine::new();
    // Every process that shows up, and whatever can be read of it, until the
    // command is executed: an environment that is the launcher's would be
    // found (CVE-2016-9962).
    let spy = "while :; do for p in /proc/[0-9]*; do \
        [ $p = /proc/1 ] || tr '\\0' '\\n' 2>/dev/null <$p/environ; done; done";
    let all = ["--cap-add", "sys_ptrace"];
    let container = Container::start(&all, spy);
    for _ in 0..8 {
        let call = ["exec", &container.name, "--", "env"];
        let variables = [("SECRET", "of-the-launcher")];
        let here = std::path::Path::new(".");
        let report = witness::run_in(STEP11, &call, here, &variables);
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert!(!report.stdout.contains("SECRET"), "{}", report.stdout);
    }
    // The control: the spy does see what others may see.
    let flags = ["exec", "--env", "SEEN=yes", &container.name];
    let second = witness::start(STEP11, &flags, "");
    eventually("the spy to see it", || container.log().contains("SEEN=yes"));
    second.end();
    assert!(!container.log().contains("SECRET"));
}

/// Before the wall is up, nobody inside may touch the process: it is born in
/// the container's PID namespace, and still among the machine's files.
#[test]
fn who_enters_a_rootless_container_cannot_be_traced_on_the_way() {
    let _machine = Machine::new();
    let person = Person::new();
    let usual = ["run", "-q", "--rootless", "--detach", "--name", "it"];
    let more = ["--cap-add", "sys_ptrace", "--", "sleep", "1000"];
    let report = person.run(&[&usual[..], &more].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    let inspect = person.run(&["inspect", "--rootless", "it"]);
    let all: Value = serde_json::from_str(&inspect.stdout).expect("JSON");
    let first = all[0]["pid"].as_i64().expect("a number");
    // Who may look into a process's folder is told by its owner (proc(5)).
    let owner = |pid| fs::metadata(format!("/proc/{pid}/environ")).ok();
    let owner = |pid: i64| owner(pid).map(|found| found.uid());
    assert_eq!(owner(first), Some(person::UID), "the control: it is theirs");

    let machines = namespace("self", "mnt");
    let mut seen = 0;
    for _ in 0..20 {
        let words = person.starts(&["exec", "--rootless", "it", "true"]);
        let mut launcher = Command::new("setpriv").args(words).spawn();
        let launcher = launcher.as_mut().expect("start it");
        while launcher.try_wait().expect("look at it").is_none() {
            for child in process::children(launcher.id() as i32) {
                let link = fs::read_link(format!("/proc/{child}/ns/mnt"));
                let is_outside =
                    link.is_ok_and(|l| l.as_os_str() == &*machines);
                let Some(owner) = owner(child.into()) else { continue };
                if is_outside && process::name(child) != "guardian" {
                    assert_eq!(owner, 0, "process {child} can be traced");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 0, "the control: it was never seen among our files");
    let report = person.run(&["rm", "--rootless", "--force", "it"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
}

/// What `exec` is told by the container's /proc, the container may have made.
#[test]
fn a_forged_proc_does_not_keep_the_launchers_groups() {
    let _machine = Machine::new();
    let free = ["--cap-add", "sys_admin", "--seccomp", "none"];
    let script = "mkdir -p /f/self && echo deny >/f/self/setgroups && \
        mount -t tmpfs x /proc && mkdir /proc/self && \
        echo deny >/proc/self/setgroups && echo forged; exec sleep 1000";
    let container = Container::start(&free, script);
    eventually("the forgery", || container.log().contains("forged"));
    let forged = container.exec(&[], &["cat", "/proc/self/setgroups"]);
    assert_eq!(forged.stdout, "deny\n", "the control: {}", forged.stderr);
    // Started by root of many groups; `id` shows those that it knows.
    let call = ["--groups", "100001,100002", STEP11, "exec"];
    let report =
        run("setpriv", &[&call[..], &[&container.name, "id", "-G"]].concat());
    assert_eq!(report.stdout, "0\n", "{}", report.stderr);
    let outside = run("setpriv", &["--groups", "100001,100002", "id", "-G"]);
    assert!(outside.stdout.contains("100001"), "the control");
}

#[test]
fn in_a_pipe_it_has_no_terminal_at_all() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let script = "echo asked >/dev/tty; echo over";
    let call = ["exec", &container.name, "--", "sh", "-c", script];
    let (mut terminal, mut stdout) = Terminal::start_in_a_pipe(STEP11, &call);
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("read its stdout");
    assert_eq!(text, "over\n");
    terminal.expect("/dev/tty: ");
    assert_eq!(terminal.wait(), 0);
    assert!(!terminal.screen.contains("asked"), "{}", terminal.screen);
}

#[test]
fn what_does_not_run_cannot_be_entered() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exit 3");
    eventually("its end", || container.inspect()["status"] == "exited");
    let report = container.exec(&[], &["true"]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("does not run: exited (3)"));
    let report = run(STEP11, &["exec", "witness-nobody", "true"]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("step11 ps"), "{}", report.stderr);
}

#[test]
fn a_number_that_was_used_again_is_not_taken_for_it() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let state = format!("{}/state.json", container.folder());
    let before = fs::read_to_string(&state).expect("read the state");
    let start = container.inspect()["start"].as_u64().expect("a number");
    let field = |start: u64| format!("\"start\": {start},");
    // As if that number had belonged to an earlier process.
    let other = before.replace(&field(start), &field(start - 1));
    assert_ne!(before, other);
    fs::write(&state, other).expect("write the state");
    let report = container.exec(&[], &["true"]);
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("does not run"), "{}", report.stderr);
    fs::write(&state, before).expect("write the state");
    assert_eq!(container.exec(&[], &["true"]).status, 0, "the control");
}
