//! The container's cgroup, on whatever this machine has: v1, v2, or both.
//!
//! The groups are made in the kernel's own trees, below one that is named
//! after this process; the witness looks at their files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::Pid;
use step07::events::{Events, wait};
use step12::cgroup::{Cgroup, Event};
use step12::config::resources::Resources;
use witness::{Folder, Machine, eventually, patience, process};

/// A container's group for one test, and the group above it.
struct Group {
    cgroup: Cgroup,
    name: String,
    _machine: Machine,
}

/// The mount points of all trees.
fn trees() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("read it");
    let tree = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        words[2].starts_with("cgroup").then(|| PathBuf::from(words[1]))
    };
    mounts.lines().filter_map(tree).collect()
}

fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// `v2` where the machine has that alone, else `v1`.
fn by_version<T>(v1: T, v2: T) -> T {
    if is_v2() { v2 } else { v1 }
}

fn resources(json: &str) -> Resources {
    serde_json::from_str(json).expect("JSON")
}

impl Group {
    fn new() -> Group {
        let machine = Machine::new();
        let name = format!("/workshop-test-{}/here", std::process::id());
        let cgroup =
            Cgroup::choose(Some(&name), "id", false).expect("a place");
        Group { cgroup, name, _machine: machine }
    }

    fn made(json: &str) -> Group {
        let group = Group::new();
        group.cgroup.make(&resources(json)).expect("make it");
        group
    }

    /// The folders that are there.
    fn folders(&self) -> Vec<PathBuf> {
        let all = trees().into_iter();
        let all = all.map(|tree| tree.join(self.name.trim_start_matches('/')));
        all.filter(|folder| folder.exists()).collect()
    }

    /// The folder that has this file.
    fn with(&self, file: &str) -> PathBuf {
        let mut all = self.folders().into_iter();
        let found = all.find(|folder| folder.join(file).exists());
        found.unwrap_or_else(|| panic!("no group has {file}"))
    }

    fn read(&self, file: &str) -> String {
        let text = fs::read_to_string(self.with(file).join(file));
        text.expect(file).trim_end().to_owned()
    }

    fn apply(&self, json: &str) -> Result<(), String> {
        let done = self.cgroup.apply(&resources(json));
        done.map_err(|error| format!("{error:#}"))
    }

    /// A process in the group.
    fn start(&self, script: &str) -> Child {
        let mut command = witness::command("sh");
        // It waits for its input, and so until it is in the group.
        command.args(["-c", &format!("read line; {script}")]);
        command.stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("start it");
        let pid = Pid::from_raw(child.id() as i32);
        self.cgroup.join(pid).expect("put it in");
        drop(child.stdin.take());
        child
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.cgroup.kill(libc::SIGKILL);
        let removed = self.cgroup.remove();
        for tree in trees() {
            let name = self.name.trim_start_matches('/').split('/').next();
            let _ = fs::remove_dir(tree.join(name.expect("a name")));
        }
        if !std::thread::panicking() {
            removed.expect("remove it");
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

#[test]
fn a_group_has_its_limits_before_there_is_a_process() {
    let group = Group::new();
    assert_eq!(group.folders(), [""; 0].map(PathBuf::from), "not yet");
    let limits = resources(
        r#"{"memory": {"limit": 67108864, "reservation": 33554432},
        "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0",
        "mems": "0"}, "pids": {"limit": 7}}"#,
    );
    group.cgroup.make(&limits).expect("make it");
    for (v1, v2, text) in [
        ("memory.limit_in_bytes", "memory.max", "67108864"),
        ("memory.soft_limit_in_bytes", "memory.low", "33554432"),
        ("cpuset.cpus", "cpuset.cpus", "0"),
        ("pids.max", "pids.max", "7"),
    ] {
        assert_eq!(group.read(by_version(v1, v2)), text);
    }
    match is_v2() {
        true => {
            assert_eq!(group.read("cpu.max"), "50000 100000");
            assert_eq!(group.read("cpu.weight"), "59");
        }
        false => {
            assert_eq!(group.read("cpu.cfs_quota_us"), "50000");
            assert_eq!(group.read("cpu.cfs_period_us"), "100000");
            assert_eq!(group.read("cpu.shares"), "512");
        }
    }
    assert_eq!(group.cgroup.processes().expect("a list"), []);
    let mode = group.folders()[0].metadata().expect("a folder").mode();
    assert_eq!(mode & 0o777, 0o755, "whatever the umask");
    group.cgroup.remove().expect("remove it");
    assert_eq!(group.folders(), [""; 0].map(PathBuf::from));
    group.cgroup.remove().expect("to remove nothing is no error");
}

#[test]
fn on_an_error_nothing_is_left() {
    let group = Group::new();
    for (json, field) in [
        // What makes no sense, and what the kernel does not accept.
        (r#"{"hugepageLimits": [{"pageSize": "/", "limit": 1}]}"#, "pageL"),
        (r#"{"cpu": {"cpus": "1000"}}"#, "cpu.cpus"),
        (r#"{"pids": {"limit": 9}, "cpu": {"period": 1}}"#, "cpu.period"),
        (r#"{"devices": [{"type": "x"}]}"#, "devices[0]"),
    ] {
        let made = group.cgroup.make(&resources(json));
        let error = format!("{:#}", made.expect_err(json));
        let named = error.contains("linux.resources.");
        assert!(named && error.contains(field), "{error}");
        for tree in trees() {
            let name = format!("workshop-test-{}", std::process::id());
            assert!(!tree.join(name).exists(), "{json} left a group");
        }
    }
    group.cgroup.make(&resources("{}")).expect("the control");
    assert!(!group.folders().is_empty());
}

#[test]
fn a_process_is_in_every_tree_and_is_listed() {
    let group = Group::made("{}");
    let mut child = group.start("exec sleep 1000");
    assert_eq!(group.cgroup.processes().expect("a list"), [pid(&child)]);
    let lines = fs::read_to_string(format!("/proc/{}/cgroup", child.id()));
    let lines = lines.expect("read it");
    assert_eq!(lines.lines().count(), trees().len());
    for line in lines.lines() {
        assert!(line.ends_with(&group.name), "{line}");
    }
    // In a group that the container has made.
    for folder in group.folders() {
        let below = folder.join("below");
        fs::create_dir(&below).expect("make a group");
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let (false, Ok(text)) =
                (is_v2(), fs::read_to_string(folder.join(file)))
            {
                fs::write(below.join(file), text).expect(file);
            }
        }
        let number = child.id().to_string();
        fs::write(below.join("cgroup.procs"), number).expect("move it");
    }
    assert_eq!(group.cgroup.processes().expect("a list"), [pid(&child)]);
    // Another container cannot have the same group.
    let made = group.cgroup.make(&Resources::default());
    let error = made.expect_err("there is a process").to_string();
    assert!(error.contains("already"), "{error}");
    assert!(!group.folders().is_empty(), "and it is not removed for that");
    group.cgroup.kill(libc::SIGKILL).expect("kill it");
    child.wait().expect("reap it");
    group.cgroup.remove().expect("with what is below");
    assert_eq!(group.cgroup.processes().expect("a list"), []);
}

#[test]
fn a_process_can_be_born_in_the_one_of_v2() {
    let group = Group::new();
    assert!(group.cgroup.folder().expect("none yet").is_none());
    group.cgroup.make(&Resources::default()).expect("make it");
    let folder = group.cgroup.folder().expect("open it");
    // A file that version 1 has nowhere.
    let mut all = group.folders().into_iter();
    let there = all.find(|folder| folder.join("cgroup.events").exists());
    let inode = |found: fs::Metadata| found.ino();
    let here = folder.map(|it| inode(it.metadata().expect("a folder")));
    let there = there.map(|it| inode(it.metadata().expect("a folder")));
    assert_eq!(here, there);
}

#[test]
fn a_process_walks_into_those_of_v1_by_itself() {
    let group = Group::made("{}");
    let name = group.name.clone();
    let groups = |walks: bool| {
        let doors = group.cgroup.doors().expect("open them");
        let mut command = witness::command("cat");
        command.arg("/proc/self/cgroup");
        let walk_in = move || match walks {
            true => doors.walk_in().map_err(std::io::Error::other),
            false => Ok(()),
        };
        // SAFETY: no other thread of this process holds a lock that writing to
        // an open file takes.
        unsafe { command.pre_exec(walk_in) };
        let output = command.output().expect("start it");
        let text = String::from_utf8(output.stdout).expect("text");
        let lines = text.lines().filter(|line| !line.starts_with("0::"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let is_in = |line: &String| line.ends_with(&name);
    assert!(groups(true).iter().all(is_in), "{:?}", groups(true));
    assert!(!groups(false).iter().any(is_in), "the control");
}

#[test]
fn an_update_changes_what_is_named_in_whatever_order_it_takes() {
    let group = Group::made(
        r#"{"memory": {"limit": 67108864, "swap": 134217728}, "pids":
        {"limit": 5}, "cpu": {"quota": 50000, "period": 100000}}"#,
    );
    let memory = by_version("memory.limit_in_bytes", "memory.max");
    let swap = by_version("memory.memsw.limit_in_bytes", "memory.swap.max");
    let update = |limit: u64, sum: u64| {
        let json =
            format!(r#"{{"memory": {{"limit": {limit}, "swap": {sum}}}}}"#);
        group.apply(&json).expect("accepted");
        assert_eq!(group.read(memory), limit.to_string());
        let right = by_version(sum, sum - limit).to_string();
        let counts = |folder: &PathBuf| folder.join(swap).exists();
        if group.folders().iter().any(counts) {
            assert_eq!(group.read(swap), right);
        }
    };
    let mib = 1 << 20;
    // Up, so that the new memory is above the old sum, and down, so that the
    // new sum is below the old memory.
    update(512 * mib, 1024 * mib);
    update(32 * mib, 64 * mib);
    assert_eq!(group.read("pids.max"), "5", "not named");
    // A shorter period with less, and a longer one with more.
    for (quota, period) in [(1000, 10_000), (900_000, 1_000_000)] {
        let json =
            format!(r#"{{"cpu": {{"quota": {quota}, "period": {period}}}}}"#);
        group.apply(&json).expect("accepted");
    }
    let none = r#"{"memory": {"limit": -1}, "pids": {"limit": -1}}"#;
    group.apply(none).expect("accepted");
    assert_eq!(group.read("pids.max"), "max");
    let error = group.apply(r#"{"cpu": {"quota": 1}}"#).expect_err("too low");
    assert!(error.contains("linux.resources.cpu.quota"), "{error}");
}

#[test]
fn a_limit_below_what_is_used_is_refused_if_that_is_asked_for() {
    let group = Group::made("{}");
    // 8 MB, which tail has to remember.
    let script = "head -c 8000000 /dev/zero | tail -c 8000000 | sleep 1000";
    let mut child = group.start(script);
    let file = by_version("memory.usage_in_bytes", "memory.current");
    let used = || group.read(file).parse::<u64>().expect("a number");
    eventually("memory to be used", || used() > 1_000_000);
    let json = r#"{"memory": {"limit": 524288, "checkBeforeUpdate": true}}"#;
    let error = group.apply(json).expect_err("it is in use");
    assert!(error.contains("memory.limit"), "{error}");
    let json = r#"{"memory": {"limit": 1073741824, "checkBeforeUpdate":
        true}}"#;
    group.apply(json).expect("the control");
    group.cgroup.kill(libc::SIGKILL).expect("end it");
    child.wait().expect("reap it");
}

#[test]
fn frozen_processes_stand_still_until_they_may_go_on() {
    let group = Group::made("{}");
    let folder = Folder::new();
    let file = folder.text("count");
    let script = format!("while echo x >>{file}; do :; done");
    let mut child = group.start(&script);
    let count = || fs::metadata(&file).map_or(0, |file| file.len());
    eventually("it to work", || count() > 0);
    assert!(!group.cgroup.is_frozen());
    group.cgroup.freeze(true).expect("freeze it");
    assert!(group.cgroup.is_frozen());
    let before = count();
    // In the time of ten programs it would have written many lines.
    for _ in 0..10 {
        witness::run("true", &[]);
        assert_eq!(count(), before, "it goes on");
    }
    group.cgroup.freeze(true).expect("once more is no error");
    group.cgroup.freeze(false).expect("thaw it");
    assert!(!group.cgroup.is_frozen());
    eventually("it to go on", || count() > before);
    // Who stands still can be killed.
    group.cgroup.freeze(true).expect("freeze it");
    group.cgroup.kill(libc::SIGKILL).expect("kill it");
    child.wait().expect("reap it");
    group.cgroup.remove().expect("remove it");
    assert!(!group.cgroup.is_frozen(), "there is none");
    assert!(group.cgroup.freeze(true).is_err());
}

#[test]
fn nobody_escapes_a_kill() {
    let group = Group::made(r#"{"pids": {"limit": 64}}"#);
    // Each makes another and ends: there is never the same one for long.
    let script = "step() { (step) & }; step; step; step; wait";
    let mut child = group.start(script);
    let all = || group.cgroup.processes().expect("a list");
    eventually("some to be there", || !all().is_empty());
    group.cgroup.kill(libc::SIGKILL).expect("kill them");
    child.wait().expect("reap it");
    eventually("the end of all", || all().is_empty());
    group.cgroup.kill(libc::SIGKILL).expect("nobody is no error");
}

#[test]
fn another_signal_reaches_all() {
    let group = Group::made("{}");
    let mut children = [0; 2].map(|_| group.start("exec sleep 1000"));
    group.cgroup.kill(libc::SIGTERM).expect("send it");
    for child in &mut children {
        use std::os::unix::process::ExitStatusExt;
        let status = child.wait().expect("reap it");
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    }
}

#[test]
fn a_group_is_removed_when_the_last_process_is_out() {
    let group = Group::made("{}");
    let child = group.start("exec sleep 1000");
    // Still dying, and a zombie afterwards.
    group.cgroup.kill(libc::SIGKILL).expect("kill it");
    group.cgroup.remove().expect("it waits");
    assert_eq!(group.folders(), [""; 0].map(PathBuf::from));
    let mut child = child;
    child.wait().expect("reap it");
    assert!(process::state(child.id() as i32).is_none());
}

#[test]
fn only_devices_that_are_allowed_can_be_used() {
    let folder = Folder::new();
    let node = |name: &str, major, minor| {
        let path = folder.join(name);
        let mode = Mode::from_bits_truncate(0o666);
        let made = mknod(&path, SFlag::S_IFCHR, mode, makedev(major, minor));
        made.expect("make a node");
    };
    node("null", 1, 3);
    node("kmsg", 1, 11);
    let script = format!(
        "cd {}; for i in null kmsg; do true 2>/dev/null >$i && echo w $i; \
         true 2>/dev/null <$i && echo r $i; done; mknod x b 7 0 && echo m; rm x",
        folder.path().display()
    );
    let deny = r#"{"allow": false, "access": "rwm"}"#;
    for (rules, right) in [
        ("".to_owned(), "w null\nr null\nm\n"),
        (deny.to_owned(), "w null\nr null\nm\n"),
        (
            format!(
                r#"{deny}, {{"allow": true, "type": "c", "major": 1,
                "minor": 11, "access": "w"}}"#
            ),
            "w null\nr null\nw kmsg\nm\n",
        ),
        (
            r#"{"allow": true, "access": "rwm"}"#.to_owned(),
            "w null\nr null\nw kmsg\nr kmsg\nm\n",
        ),
    ] {
        let group = Group::made(&format!(r#"{{"devices": [{rules}]}}"#));
        let child = group.start(&script);
        let output = child.wait_with_output().expect("its output");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, right, "{rules}");
    }
}

#[test]
fn an_update_replaces_the_rules_for_devices() {
    let folder = Folder::new();
    let (mode, kind) = (Mode::from_bits_truncate(0o666), SFlag::S_IFCHR);
    let node = folder.join("kmsg");
    mknod(&node, kind, mode, makedev(1, 11)).expect("make a node");
    let group = Group::made("{}");
    let script =
        format!("head -c0 {} 2>/dev/null && echo yes", node.display());
    let may = || {
        let output = group.start(&script).wait_with_output();
        !output.expect("its output").stdout.is_empty()
    };
    assert!(!may());
    group.apply(r#"{"devices": [{"allow": true}]}"#).expect("all of them");
    assert!(may());
    group.apply(r#"{"pids": {"limit": 9}}"#).expect("another limit");
    assert!(may(), "devices were not named");
    group.apply(r#"{"devices": [{"allow": false}]}"#).expect("none");
    assert!(!may());
}

/// The wait is step07's, and these are files of the kernel's.
#[test]
fn a_file_of_events_has_changed_until_it_is_read() {
    let group = Group::made("{}");
    let has_it = |it: &PathBuf| it.join("cgroup.events").exists();
    let folder = group.folders().into_iter().find(has_it);
    // A machine with v1 alone has none.
    let Some(folder) = folder else { return };
    let events = Events::open(&folder, "cgroup.events");
    let mut events = events.expect("open it");
    let has_changed = |it: &Events| wait(&[it], Duration::ZERO).expect("ask");
    assert!(has_changed(&events), "nobody has read it");
    let text = events.read().expect("read it");
    assert!(text.contains("populated 0"), "{text}");
    assert!(!has_changed(&events), "who waits now would not wait");
    let mut child = group.start("exec sleep 1000");
    assert!(wait(&[&events], patience()).expect("ask"), "somebody came");
    assert!(events.read().expect("read it").contains("populated 1"));
    group.cgroup.kill(libc::SIGKILL).expect("end it");
    child.wait().expect("reap it");
}

#[test]
fn an_end_of_memory_is_told_once_and_counted() {
    let group =
        Group::made(r#"{"memory": {"limit": 8388608, "swap": 8388608}}"#);
    let mut notifier = group.cgroup.oom_notifier().expect("a notifier");
    let at_once = Duration::ZERO;
    let mut child = group.start("exec sleep 1000");
    assert_eq!(notifier.next(at_once).expect("ask"), Event::Nothing);
    assert_eq!(group.cgroup.oom_kills(), 0);
    let script = "head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null";
    let mut hog = group.start(script);
    assert_eq!(notifier.next(patience()).expect("ask"), Event::Oom);
    hog.wait().expect("reap it");
    assert!(group.cgroup.oom_kills() > 0);
    group.cgroup.kill(libc::SIGKILL).expect("end it");
    child.wait().expect("reap it");
    group.cgroup.remove().expect("remove it");
    let mut ended = || loop {
        // v1 signals each process that comes to the limit.
        match notifier.next(patience()).expect("ask") {
            Event::Oom => {}
            event => break event,
        }
    };
    assert_eq!(ended(), Event::Ended);
}

#[test]
fn what_is_used_is_told_in_numbers() {
    let group = Group::made(
        r#"{"memory": {"limit": 67108864}, "pids": {"limit": 9}, "cpu":
        {"cpus": "0", "mems": "0"}}"#,
    );
    let mut child = group.start(
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 1000",
    );
    let is_asleep = || process::name(child.id() as i32) == "sleep";
    eventually("it to have worked", is_asleep);
    let stats = group.cgroup.stats().expect("stats");
    let number = |path: &str| {
        let found = stats.pointer(path).and_then(|it| it.as_u64());
        found.unwrap_or_else(|| panic!("no {path} in {stats:#}"))
    };
    assert_eq!(number("/pids/current"), 1);
    assert_eq!(number("/pids/limit"), 9);
    assert_eq!(number("/memory/usage/limit"), 67108864);
    assert!(number("/memory/usage/usage") > 0);
    assert!(number("/cpu/usage/total") > 1_000_000, "nanoseconds");
    assert_eq!(stats["cpuset"]["cpus"], serde_json::json!([0]));
    assert!(stats["memory"]["raw"].as_object().expect("more").len() > 9);
    group.cgroup.kill(libc::SIGKILL).expect("end it");
    child.wait().expect("reap it");
}

#[test]
fn what_was_written_down_finds_the_group_again() {
    let group = Group::made(r#"{"pids": {"limit": 5}}"#);
    let text = serde_json::to_string(&group.cgroup).expect("write it down");
    let again: Cgroup = serde_json::from_str(&text).expect("read it");
    assert_eq!(again, group.cgroup);
    again.apply(&resources(r#"{"pids": {"limit": 6}}"#)).expect("update");
    assert_eq!(group.read("pids.max"), "6");
    assert!(serde_json::from_str::<Cgroup>("{}").is_err(), "the control");
}

/// What an ordinary user runs, from a group: this test program, with the one
/// test at the end.
fn as_user(base: &str, what: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    let program = witness::Reachable::new(program.to_str().expect("a path"));
    let script = format!(
        "echo 0 >{base}/cgroup.procs && exec setpriv --reuid 1500 --regid 1500 \
         --clear-groups {} --exact helper --ignored --nocapture",
        program.path()
    );
    let mut command = witness::command("sh");
    command.args(["-c", &script]).env("WORKSHOP_HELPER", what);
    let output = command.output().expect("run it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn without_the_rights_a_container_does_without_if_nothing_is_asked_for() {
    let _machine = Machine::new();
    let base = by_version("/sys/fs/cgroup/pids", "/sys/fs/cgroup");
    let text = as_user(base, "{}");
    assert!(text.contains("made: Ok"), "{text}");
    let text = as_user(base, r#"{"pids": {"limit": 5}}"#);
    assert!(text.contains("made: Err"), "the control: {text}");
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_delegated_group_has_limits_without_root() {
    let _machine = Machine::new();
    let base = Path::new("/sys/fs/cgroup/workshop-test-delegated");
    let own = base.join("own");
    fs::create_dir_all(&own).expect("make them");
    for group in [base, &own] {
        for name in ["", "cgroup.procs", "cgroup.subtree_control"] {
            chown(group.join(name), Some(1500), Some(1500)).expect("chown");
        }
    }
    // As root of the machine does for a group that it delegates.
    let top = Path::new("/sys/fs/cgroup/cgroup.subtree_control");
    fs::write(top, "+pids").expect("hand it on");
    let own_path = own.to_str().expect("a plain path");
    let text = as_user(own_path, r#"{"pids": {"limit": 5}}"#);
    assert!(text.contains("made: Ok"), "{text}");
    for group in [own, base.to_owned()] {
        eventually("it to be empty", || match fs::remove_dir(&group) {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(()) => true,
        });
    }
}

/// Makes a group and removes it, as whoever it is started by.
#[test]
#[ignore = "a helper of the others, which start it with an order"]
fn helper() {
    let Ok(json) = std::env::var("WORKSHOP_HELPER") else { return };
    let name = format!("workshop-test-{}", std::process::id());
    let cgroup = Cgroup::choose(None, &name, false).expect("a place");
    let made = cgroup.make(&resources(&json));
    println!("made: {made:?}");
    cgroup.remove().expect("remove it");
}
