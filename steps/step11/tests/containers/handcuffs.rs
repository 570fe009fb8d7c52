//! The group of a container, from outside and with one more process in it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use witness::{Machine, eventually, process, run};

use crate::{Container, STEP11};

const LIMITS: &str = "--memory 64M --cpus 0.5 --pids 20";

fn start(script: &str) -> Container {
    let flags: Vec<&str> = LIMITS.split(' ').collect();
    Container::start(&flags, script)
}

fn usage(container: &Container) -> Value {
    let report = run(STEP11, &["stats", "--json", &container.name]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let all: Value = serde_json::from_str(&report.stdout).expect("JSON");
    all[0].clone()
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_second_process_is_born_in_its_group() {
    let _machine = Machine::new();
    let container = start("exec sleep 1000");
    let group = |pid: i32| {
        fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a group")
    };
    let second = witness::start(STEP11, &["exec", &container.name], "");
    let its = group(second.pid);
    let limit = container.exec(&[], &["cat", "/sys/fs/cgroup/memory.max"]);
    assert_eq!(limit.stdout, "67108864\n", "it reads the same limits");
    assert!(its.starts_with("0::/workshop/"), "{its}");
    assert_eq!(its, group(container.pid()));
    assert_ne!(its, group(std::process::id() as i32), "the control");
    second.end();
    // It counts, and is stopped at the limit like all others in there.
    let fork = "for i in $(seq 30); do sleep 1000 >/dev/null 2>&1 & done";
    let report = container.exec(&[], &["sh", "-c", fork]);
    assert_ne!(report.status, 0);
    let said = report.stderr.to_lowercase();
    assert!(said.contains("fork"), "{said}");
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn stats_are_what_the_kernel_counts() {
    let _machine = Machine::new();
    let script = "dd if=/dev/zero of=/tmp/file bs=1M count=20 2>/dev/null; \
        exec sleep 1000";
    let container = start(script);
    // All is written once `sleep` has taken the shell's place: until then `dd`
    // may be a second process.
    eventually("sleep, alone", || process::name(container.pid()) == "sleep");
    let usage = usage(&container);
    assert!(usage["memory_bytes"].as_u64() > Some(20 << 20), "{usage}");
    assert_eq!(usage["memory_limit_bytes"], 64 << 20);
    assert_eq!(usage["cpu_limit"], 0.5);
    assert_eq!(usage["pids_limit"], 20);
    assert_eq!(usage["pids"], 1);
    assert!(usage["cpu_usec"].as_u64() > Some(0));
    let table = container.call(&["stats"]).stdout;
    assert!(table.contains("64M") && table.contains("1 / 20"), "{table}");
    let once = container.call(&["stats", "--no-stream"]).stdout;
    assert!(once.contains("1 / 20"), "{once}");
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_group_goes_with_its_container() {
    let _machine = Machine::new();
    let group = |container: &Container| {
        let groups = container.inspect()["kernel"]["cgroup"].clone();
        let group = groups[0].as_str().expect("a group").to_owned();
        format!("/sys/fs/cgroup{}", group.trim_start_matches("0::"))
    };
    let container = start("exec sleep 1000");
    let folder = group(&container);
    assert!(fs::exists(&folder).expect("look"), "the control");
    assert_eq!(container.call(&["rm", "--force"]).status, 0);
    assert!(!fs::exists(&folder).expect("look"));
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn paused_none_of_its_processes_goes_on() {
    let _machine = Machine::new();
    let script = "trap 'echo asked; exit 5' TERM; echo ready; \
        while :; do i=$((i+1)); done";
    let container = start(script);
    eventually("the trap", || container.log().contains("ready"));
    assert_eq!(container.call(&["pause"]).status, 0);
    assert_eq!(container.inspect()["status"], "paused");
    assert_eq!(container.inspect()["State"]["Paused"], true);
    assert!(container.line().expect("a line").contains("(paused)"));
    let spent = || usage(&container)["cpu_usec"].as_u64();
    // What it has used is counted to the end when it stands still.
    let before = spent();
    let entered = container.exec(&[], &["true"]);
    assert_eq!(entered.status, 125);
    assert!(entered.stderr.contains("step11 unpause"), "{}", entered.stderr);
    assert_eq!(spent(), before);
    assert_eq!(container.call(&["unpause"]).status, 0);
    eventually("it to go on: the control", || spent() > before);
    assert_eq!(container.inspect()["status"], "running");
    // It can be stopped, and is asked first, as if it were running.
    assert_eq!(container.call(&["pause"]).status, 0);
    assert_eq!(container.call(&["stop", "--time", "1000"]).status, 0);
    assert_eq!(container.inspect()["ended"]["status"], 5);
    let report = container.call(&["pause"]);
    assert!(report.stderr.contains("does not run"), "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_paused_one_can_be_killed() {
    let _machine = Machine::new();
    for words in [&["kill"][..], &["rm", "--force"]] {
        let container = start("exec sleep 1000");
        let pid = container.pid();
        assert_eq!(container.call(&["pause"]).status, 0);
        assert_eq!(container.call(words).status, 0, "{words:?}");
        assert!(process::is_gone(pid), "{words:?}");
    }
}

#[test]
fn without_a_group_there_is_nothing_to_freeze() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    let has_group = unified.expect("look");
    let report = container.call(&["pause"]);
    assert_eq!(report.status == 0, has_group, "{}", report.stderr);
    let is_told = report.stderr.contains("no handcuffs");
    assert_eq!(is_told, !has_group, "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn one_that_needed_too_much_memory_is_told_from_one_that_was_killed() {
    let _machine = Machine::new();
    let eat = "tail /dev/zero";
    for init in [&[][..], &["--init"]] {
        let flags = [&["--memory", "16M"], init].concat();
        let container = Container::start(&flags, eat);
        eventually("its end", || container.inspect()["status"] == "exited");
        let state = container.inspect();
        assert_eq!(state["ended"]["status"], 137, "{state}");
        assert_eq!(state["ended"]["oom_killed"], true, "{state}");
        assert_eq!(state["State"]["OOMKilled"], true, "{state}");
        let line = container.line().expect("a line");
        assert!(line.contains("exited 137, out of memory,"), "{line}");
        let report = container.exec(&[], &["true"]);
        assert!(report.stderr.contains("(137, out of memory)"));
    }
    let killed = start("exec sleep 1000");
    assert_eq!(killed.call(&["kill"]).status, 0);
    let state = killed.inspect();
    assert_eq!(state["ended"]["status"], 137, "the control");
    assert_eq!(state["ended"]["oom_killed"], false, "{state}");
    assert!(!killed.line().expect("a line").contains("memory"));
}

#[test]
fn without_handcuffs_stats_say_why() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let table = container.call(&["stats"]).stdout;
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    assert!(table.contains(&container.name), "{table}");
    let has_group = unified.expect("look");
    assert_eq!(table.contains("no handcuffs"), !has_group, "{table}");
    let missing = run(STEP11, &["stats", "witness-nobody"]);
    assert_eq!(missing.status, 125);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_limit_is_exchanged_while_it_runs() {
    let _machine = Machine::new();
    let container = start("exec sleep 1000");
    let update = |flags: &[&str]| {
        let call = [&["update"], flags, &[&container.name]].concat();
        run(STEP11, &call)
    };
    let group = container.inspect()["kernel"]["cgroup"][0].clone();
    let group = group.as_str().expect("a group").to_owned();
    let group = format!("/sys/fs/cgroup{}", group.trim_start_matches("0::"));
    let file = |name: &str| {
        let text = fs::read_to_string(format!("{group}/{name}"));
        text.expect("read it").trim().to_owned()
    };
    let all = || ["memory.max", "cpu.max", "pids.max"].map(file);
    assert_eq!(all(), ["67108864", "50000 100000", "20"], "the control");
    let report = update(&["--memory", "32M"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(report.stdout, format!("{}\n", container.name));
    // The others are as they were.
    assert_eq!(all(), ["33554432", "50000 100000", "20"]);
    assert_eq!(file("memory.swap.max"), "0");
    assert_eq!(update(&["--cpus", "2", "--pids", "3"]).status, 0);
    assert_eq!(all(), ["33554432", "200000 100000", "3"]);
    assert_eq!(usage(&container)["pids_limit"], 3);
    // The kernel goes by it from then on.
    let fork = "for i in 1 2 3 4 5; do sleep 1000 >/dev/null 2>&1 & done";
    let report = container.exec(&[], &["sh", "-c", fork]);
    assert_ne!(report.status, 0, "{}", report.stderr);
    assert_eq!(update(&["--pids", "max"]).status, 0);
    let report = container.exec(&[], &["sh", "-c", fork]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn nobody_is_killed_by_a_limit_below_what_is_used() {
    let _machine = Machine::new();
    let script = "dd if=/dev/zero of=/tmp/file bs=1M count=20 2>/dev/null; \
        exec sleep 1000";
    let container = start(script);
    eventually("sleep, alone", || process::name(container.pid()) == "sleep");
    let update = |memory: &str| {
        run(STEP11, &["update", "--memory", memory, &container.name])
    };
    let report = update("8M");
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("would be killed"), "{}", report.stderr);
    assert_eq!(container.inspect()["status"], "running");
    assert_eq!(usage(&container)["memory_limit_bytes"], 64 << 20);
    assert_eq!(update("48M").status, 0, "the control");
    assert_eq!(usage(&container)["memory_limit_bytes"], 48 << 20);
}

#[test]
fn what_cannot_be_limited_is_said_with_what_to_do() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    let name = &*container.name;
    let update = run(STEP11, &["update", "--pids", "20", name]);
    match unified.expect("look") {
        true => assert_eq!(update.status, 0, "{}", update.stderr),
        false => {
            assert_eq!(update.status, 125);
            let said = ["update ", "no handcuffs", "try: ", "scripts/vm"];
            for word in said {
                assert!(update.stderr.contains(word), "{}", update.stderr);
            }
        }
    }
    for (call, status, said) in [
        (&["update", name][..], 125, "try: --memory 64M"),
        (&["update", "--pids", "0", name], 2, "is a process already"),
        (&["update", "--pids", "20"], 2, "NAME"),
        (&["update", "--pids", "20", "witness-nobody"], 125, "find a"),
    ] {
        let report = run(STEP11, call);
        assert_eq!(report.status, status, "{call:?}: {}", report.stderr);
        assert!(report.stderr.contains(said), "{}", report.stderr);
    }
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn what_a_killed_launcher_leaves_goes_with_its_record() {
    let _machine = Machine::new();
    let container = start("exec sleep 1000");
    let launcher = container.number("launcher");
    let group =
        fs::read_to_string(format!("/proc/{}/cgroup", container.pid()));
    let group = group.expect("a group").trim().replacen("0::", "", 1);
    let group = std::path::PathBuf::from(format!("/sys/fs/cgroup{group}"));
    assert!(group.exists(), "{}", group.display());
    kill(Pid::from_raw(launcher), Signal::SIGKILL).expect("kill it");
    eventually("its end", || container.inspect()["status"] == "lost");
    assert!(group.exists(), "the control: nobody has looked for it");
    assert_eq!(container.call(&["rm"]).status, 0);
    assert!(!group.exists(), "{}", group.display());
}
