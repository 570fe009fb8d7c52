//! Containers that share blindfolds.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Machine, eventually, namespace, process, run};

use crate::person::Person;
use crate::{Container, STEP11, new_name};

const ALL: [&str; 3] = ["--network", "--ipc", "--pid"];
const SERVER: &str = "nc -ll -p 8080 -e echo hello & exec sleep 1000";

/// `--network container:NAME …`.
fn flags(kinds: &[&str], of: &str) -> Vec<String> {
    let pair = |kind: &&str| [(*kind).into(), format!("container:{of}")];
    kinds.iter().flat_map(pair).collect()
}

/// Runs a command in the foreground that shares these with another one.
fn beside(of: &Container, kinds: &[&str], script: &str) -> witness::Report {
    let flags = flags(kinds, &of.name);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let call =
        [&["run", "-q", "--rm"], &flags[..], &["sh", "-c", script]].concat();
    run(STEP11, &call)
}

/// Starts a detached one. Without a network of the other's it has none.
fn member(of: &Container, kinds: &[&str], script: &str) -> Container {
    let container = Container { name: new_name() };
    let flags = flags(kinds, &of.name);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let usual = ["run", "-qd", "--name", &container.name];
    let cable: &[&str] = match kinds.contains(&"--network") {
        true => &[],
        false => &["--network", "none"],
    };
    let command = ["--", "sh", "-c", script];
    let call = [&usual[..], &flags, cable, &command].concat();
    let report = run(STEP11, &call);
    assert_eq!(report.status, 0, "{}", report.stderr);
    container
}

#[test]
fn what_is_shared_is_one_namespace_and_all_else_is_not() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    for (flag, kind) in
        [("--network", "net"), ("--ipc", "ipc"), ("--pid", "pid")]
    {
        let second = member(&first, &[flag], "exec sleep 1000");
        for each in ["mnt", "uts", "cgroup", "net", "ipc", "pid", "user"] {
            let is_same =
                namespace(first.pid(), each) == namespace(second.pid(), each);
            // The owner of what is shared is shared, too.
            let expected = each == kind || each == "user";
            assert_eq!(is_same, expected, "{flag}: {each}");
        }
        let exec = second.exec(&[], &["readlink", "/proc/self/ns/user"]);
        assert_eq!(exec.stdout.trim_end(), namespace(first.pid(), "user"));
        let launcher = second.number("launcher").to_string();
        let parent = process::status(second.pid(), "PPid");
        assert_eq!(parent, Some(launcher), "its launcher waits for it");
    }
}

#[test]
fn two_talk_by_the_loopback_and_a_third_does_not() {
    let _machine = Machine::new();
    let server = Container::start(&[], SERVER);
    let call = "for i in $(seq 100); do nc 127.0.0.1 8080 </dev/null && \
        exit; sleep 0.1; done";
    let report = beside(&server, &["--network"], call);
    assert_eq!(report.stdout, "hello\n", "{}", report.stderr);
    // The control: by a loopback of one's own there is nobody.
    let alone = ["run", "-q", "--rm", "--network", "none", "sh", "-c"];
    let once = "nc 127.0.0.1 8080 </dev/null";
    let report = run(STEP11, &[&alone[..], &[once]].concat());
    assert_ne!(report.status, 0, "{}", report.stdout);
}

#[test]
fn the_first_ones_processes_are_seen_and_signalled() {
    let _machine = Machine::new();
    let script = "trap 'echo asked; exit 5' TERM; echo ready; \
        while :; do sleep 1000 & wait; done";
    let first = Container::start(&[], script);
    eventually("the trap", || first.log().contains("ready"));
    let look = "tr '\\0' ' ' </proc/1/cmdline";
    let alone = run(STEP11, &["run", "-q", "--rm", "--network", "none", "ps"]);
    assert!(!alone.stdout.contains("asked"), "the control");
    let seen = beside(&first, &["--pid"], look).stdout;
    assert!(seen.contains("asked"), "{seen}");
    // Both have the same users, so that one may signal the other.
    // With PID 1 all others in its namespace end, the sender too.
    let sender = beside(&first, &["--pid"], "kill -TERM 1").status;
    assert!([0, 137].contains(&sender), "{sender}");
    eventually("its end", || first.inspect()["status"] == "exited");
    assert_eq!(first.inspect()["ended"]["status"], 5);
}

#[test]
fn shared_memory_and_queues_are_the_others() {
    let _machine = Machine::new();
    let script = "echo written >/dev/shm/word; touch /dev/mqueue/queue; \
        echo ready; exec sleep 1000";
    let first = Container::start(&[], script);
    eventually("the word", || first.log().contains("ready"));
    let read = "cat /dev/shm/word; ls /dev/mqueue";
    let report = beside(&first, &["--ipc"], read);
    assert_eq!(report.stdout, "written\nqueue\n", "{}", report.stderr);
    let control = beside(&first, &["--network"], read);
    assert_eq!(control.stdout, "", "without --ipc it is not there");
    // And in the other direction, with root's rights on both sides.
    let write = "echo back >/dev/shm/word";
    assert_eq!(beside(&first, &["--ipc"], write).status, 0);
    let there = first.exec(&[], &["cat", "/dev/shm/word"]);
    assert_eq!(there.stdout, "back\n");
}

/// The first one may have put something else where its memory was.
#[test]
fn a_link_in_place_of_its_memory_leads_nowhere() {
    let _machine = Machine::new();
    let folder = witness::Folder::new();
    fs::create_dir(folder.join("dev")).expect("make a folder");
    symlink("/etc", folder.join("dev/shm")).expect("make a link");
    let volume = format!("{}:/planted", folder.path().display());
    let free = ["--cap-add", "sys_admin", "--seccomp", "none", "-v", &volume];
    let script = "mount --bind /planted/dev /dev && echo planted; \
        exec sleep 1000";
    let first = Container::start(&free, script);
    eventually("the link", || first.log().contains("planted"));
    let report = beside(&first, &["--ipc"], "ls /dev/shm");
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("share /dev/shm"), "{}", report.stderr);
    let control = beside(&first, &["--network"], "true");
    assert_eq!(control.status, 0, "{}", control.stderr);
}

#[test]
fn the_ledger_says_with_whom() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let of = format!("container:{}", first.name);
    let line = |flags: &[&str], about: &str| {
        let call = [&["run"], flags, &["true"]].concat();
        let report = run(STEP11, &call);
        let lines = report.stderr.lines().map(str::to_owned);
        lines.filter(|line| line.contains(about)).collect::<String>()
    };
    let shared = line(&["--network", &of, "--pid", &of], " pod ");
    let expected = format!("with {}: network, processes, users", first.name);
    assert!(shared.ends_with(&expected), "{shared}");
    assert_eq!(line(&["--network", "none"], " pod "), "", "the control");
    // What is shared is not called its own.
    let ipc = " ipc  ";
    let own = line(&["--network", &of], ipc);
    assert!(own.contains("its own queues"), "{own}");
    let shared = line(&["--network", &of, "--ipc", &of], ipc);
    assert!(shared.contains("the pod's queues"), "{shared}");
}

#[test]
fn where_it_is_not_pid_1_what_it_leaves_behind_is_ended() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let left = "sleep 2222 >/dev/null 2>&1 & exit 3";
    let report = beside(&first, &["--pid"], left);
    assert_eq!(report.status, 3, "{}", report.stderr);
    let ps = || first.exec(&[], &["ps"]).stdout;
    assert!(!ps().contains("2222"), "{}", ps());
    // The control: who belongs to the first one is left alone.
    assert_eq!(first.exec(&[], &["sh", "-c", left]).status, 3);
    assert!(ps().contains("2222"), "{}", ps());
    // The same when its launcher is killed.
    let script = "sleep 3333 & echo begun; exec sleep 1000";
    let second = member(&first, &["--pid"], script);
    eventually("its child", || ps().contains("3333"));
    let launcher = Pid::from_raw(second.number("launcher"));
    kill(launcher, Signal::SIGKILL).expect("kill it");
    eventually("both to go", || !ps().contains("3333"));
    assert_eq!(first.inspect()["status"], "running");
}

#[test]
fn a_pod_ends_with_the_one_whose_processes_they_are() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let network = member(&first, &["--network"], "exec sleep 1000");
    let all = member(&first, &ALL, "exec sleep 1000");
    assert_eq!(first.call(&["stop", "--time", "0"]).status, 0);
    eventually("its end", || all.inspect()["status"] == "exited");
    assert_eq!(all.inspect()["ended"]["status"], 137);
    assert_eq!(network.inspect()["status"], "running", "it has its own");
}

#[test]
fn sigterm_is_not_said_to_be_dropped_where_it_is_not() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let second = member(&first, &["--pid"], "exec sleep 1000");
    assert_eq!(second.call(&["stop", "--time", "1000"]).status, 0);
    assert_eq!(second.inspect()["ended"]["status"], 143);
}

#[test]
fn who_cannot_be_joined_is_named_with_the_reason() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let other = Container::start(&[], "exec sleep 1000");
    let ended = Container::start(&[], "exit 0");
    eventually("its end", || ended.inspect()["status"] == "exited");
    let of = |container: &Container| format!("container:{}", container.name);
    let (one, two, gone) = (of(&first), of(&other), of(&ended));
    let own = "container:itself";
    for (flags, said) in [
        (&["--network", "container:witness-nobody"][..], "step11 ps"),
        (&["--network", &gone], "does not run: exited (0)"),
        (&["--pid", own, "--name", "itself"], "the new container itself"),
        (&["--network", &one, "--ipc", &two], "not in the same pod"),
        (&["--network", &one, "-p", "18080:80"], "publish it when that one"),
        (&["--ipc", &one, "--network", "none", "--uid-map", "0:5:1"], "users"),
        (&["--pid", &one, "--boottime-offset", "5"], "shift the uptime"),
    ] {
        let call = [&["run", "-q", "--rm"], flags, &["true"]].concat();
        let report = run(STEP11, &call);
        assert_eq!(report.status, 125, "{flags:?}: {}", report.stdout);
        assert!(report.stderr.contains(said), "{flags:?} {}", report.stderr);
        assert!(report.stderr.contains("try: "), "{}", report.stderr);
    }
    for wrong in ["container:", "container:../x", "container", "joined"] {
        let report = run(STEP11, &["run", "--network", wrong, "true"]);
        assert_eq!(report.status, 2, "{wrong}: {}", report.stderr);
        assert!(report.stderr.contains("container:NAME"), "{wrong}");
    }
    // The control: a third one joins both, where both are one pod. (The init
    // is hidden from all but the machine's root.)
    let first = Container::start(&["--init"], "exec sleep 1000");
    let one = of(&first);
    let second = member(&first, &["--network"], "exec sleep 1000");
    let two = of(&second);
    for [network, ipc] in [[&one, &two], [&two, &one]] {
        let call =
            ["run", "-q", "--rm", "--network", network, "--ipc", ipc, "true"];
        let report = run(STEP11, &call);
        assert_eq!(report.status, 0, "{}", report.stderr);
    }
}

#[test]
fn a_person_without_root_has_pods_as_well() {
    let _machine = Machine::new();
    let person = Person::new();
    let usual = ["run", "-qd", "--rootless", "--name"];
    let start = |name, more: &[&str]| {
        let command = ["--", "sh", "-c", SERVER];
        person.run(&[&usual[..], &[name], more, &command].concat())
    };
    assert_eq!(start("one", &[]).status, 0);
    let of = ["--network", "container:one", "--ipc", "container:one"];
    let call = "for i in $(seq 100); do nc 127.0.0.1 8080 </dev/null && \
        break; sleep 0.1; done; tr '\\0' ' ' </proc/1/cmdline";
    let run_beside = ["run", "--rm", "--rootless", "--pid", "container:one"];
    let words = [&run_beside[..], &of, &["--", "sh", "-c", call]].concat();
    let report = person.run(&words);
    let said = "hello\nsleep 1000 ";
    assert_eq!(report.stdout, said, "{}", report.stderr);
    // Root's containers are in another list.
    let roots = Container::start(&[], "exec sleep 1000");
    let of = format!("container:{}", roots.name);
    let words = ["run", "-q", "--rm", "--rootless", "--network", &of, "true"];
    let report = person.run(&words);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("of root, or"), "{}", report.stderr);
    let words = ["rm", "--rootless", "--force", "one"];
    assert_eq!(person.run(&words).status, 0);
}

/// Until its execve it is a copy of the launcher (CVE-2016-9962).
#[test]
fn who_is_there_already_cannot_look_at_who_comes() {
    let _machine = Machine::new();
    let spy = "while :; do for p in /proc/[0-9]*; do \
        [ $p = /proc/1 ] || tr '\\0' '\\n' 2>/dev/null <$p/environ; done; done";
    let first = Container::start(&["--cap-add", "sys_ptrace"], spy);
    let of = format!("container:{}", first.name);
    for _ in 0..8 {
        let call =
            ["run", "-q", "--rm", "--network", "none", "--pid", &of, "env"];
        let variables = [("SECRET", "of-the-launcher")];
        let here = std::path::Path::new(".");
        let report = witness::run_in(STEP11, &call, here, &variables);
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert!(!report.stdout.contains("SECRET"), "{}", report.stdout);
    }
    // The control: the spy does see what others may see.
    let seen = ["run", "-q", "--rm", "--network", "none", "--env", "SEEN=yes"];
    let second =
        witness::start(STEP11, &[&seen[..], &["--pid", &of]].concat(), "");
    eventually("the spy to see it", || first.log().contains("SEEN=yes"));
    second.end();
    assert!(!first.log().contains("SECRET"));
}

#[test]
fn an_init_among_others_looks_after_its_own_command() {
    let _machine = Machine::new();
    let first = Container::start(&[], "exec sleep 1000");
    let of = format!("container:{}", first.name);
    let call =
        ["run", "-q", "--rm", "--network", "none", "--init", "--pid", &of];
    let script = "echo $PPID; exit 3";
    let report = run(STEP11, &[&call[..], &["sh", "-c", script]].concat());
    assert_eq!(report.status, 3, "{}", report.stderr);
    // The control: alone, it is number 1.
    let call = ["run", "-q", "--rm", "--network", "none", "--init"];
    let alone = run(STEP11, &[&call[..], &["sh", "-c", script]].concat());
    assert_eq!(alone.stdout, "1\n", "{}", alone.stderr);
    assert_ne!(report.stdout, alone.stdout);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn each_has_handcuffs_of_its_own() {
    let _machine = Machine::new();
    let first = Container::start(&["--pids", "30"], "exec sleep 1000");
    let group = |container: &Container| {
        let path = format!("/proc/{}/cgroup", container.pid());
        fs::read_to_string(path).expect("a group")
    };
    let second = member(&first, &ALL, "exec sleep 1000");
    assert!(group(&second).starts_with("0::/workshop/"));
    assert_ne!(group(&first), group(&second));
    // What it leaves behind is in its group, and ends with it.
    let left = "sleep 4444 >/dev/null 2>&1 & exit 0";
    assert_eq!(second.exec(&[], &["sh", "-c", left]).status, 0);
    let ps = || first.exec(&[], &["ps"]).stdout;
    assert!(ps().contains("4444"), "the control");
    assert_eq!(second.call(&["rm", "--force"]).status, 0);
    assert!(!ps().contains("4444"), "{}", ps());
}
