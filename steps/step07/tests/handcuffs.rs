//! step07 on a machine with cgroup v2: the kernel enforces the limits.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use witness::{
    Folder, Machine, Reachable, Report, Running, eventually, run, start,
};

const STEP07: &str = env!("CARGO_BIN_EXE_step07");
const PARENT: &str = "/sys/fs/cgroup/workshop";
/// Keeps that much in memory: tail remembers what it may have to print.
const HOG: &str = "head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null";

/// Without a cable: that is not what these tests are about.
fn step07(flags: &[&str], script: &str) -> Report {
    let quiet = ["--network", "none"];
    run(STEP07, &[&quiet, flags, &["--", "sh", "-c", script]].concat())
}

fn started(flags: &[&str]) -> Running {
    start(STEP07, &[&["--network", "none"], flags].concat(), "")
}

/// The folder of the group that a process is in.
fn group_of(process: &Running) -> PathBuf {
    let groups = process.read("cgroup");
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"));
    PathBuf::from(format!("/sys/fs/cgroup{}", path.expect("a v2 group")))
}

fn file(group: &Path, name: &str) -> String {
    let text = fs::read_to_string(group.join(name));
    text.unwrap_or_else(|e| panic!("{name}: {e}")).trim().to_owned()
}

/// The last line of stderr: what was used.
fn summary(report: &Report) -> &str {
    let line = report.stderr.lines().find(|l| l.starts_with("peak memory"));
    line.unwrap_or_else(|| panic!("no summary in {}", report.stderr))
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn the_process_is_born_in_a_group_with_the_default_limits() {
    let _machine = Machine::new();
    let process = started(&[]);
    let group = group_of(&process);
    assert_eq!(group.parent(), Some(Path::new(PARENT)));
    for (name, limit) in [
        ("memory.max", "268435456"),
        ("memory.oom.group", "1"),
        ("cpu.max", "100000 100000"),
        ("pids.max", "128"),
    ] {
        assert_eq!(file(&group, name), limit, "{name}");
    }
    let procs = file(&group, "cgroup.procs");
    assert!(procs.lines().any(|pid| pid == process.pid.to_string()));
    // The control: the launcher is in none of them.
    let launcher = process.launcher().to_string();
    assert!(!procs.lines().any(|pid| pid == launcher));
    let report = process.end();
    for line in ["at most 256M", "1 CPU", "at most 128"] {
        assert!(report.stderr.contains(line), "{}", report.stderr);
    }
    assert!(!group.exists(), "the group is still there");
    assert!(!Path::new(PARENT).exists(), "its parent is still there");
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn swap_is_no_way_around_the_memory_limit() {
    let _machine = Machine::new();
    let process = started(&["--memory", "64M"]);
    let group = group_of(&process);
    assert_eq!(file(&group, "memory.max"), "67108864");
    assert_eq!(file(&group, "memory.swap.max"), "0");
    // The control: without a limit of its own, a group may swap.
    assert_ne!(file(Path::new(PARENT), "memory.swap.max"), "0");
    process.end();
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn too_much_memory_ends_the_whole_group() {
    let _machine = Machine::new();
    // The shell is PID 1 and uses little: without memory.oom.group it would
    // survive tail, and print this.
    let script = format!("{HOG}; echo survived");
    for flags in [&["--memory", "16M"][..], &["--memory", "16M", "--init"]] {
        let report = step07(flags, &script);
        assert_eq!(report.status, 137, "{}", report.stderr);
        assert_eq!(report.stdout, "", "half of the group is alive");
        assert!(report.stderr.contains("OOMKilled"), "{}", report.stderr);
        assert!(!summary(&report).ends_with("OOM kills 0"));
    }
    // The control: the same with enough memory.
    let report = step07(&["--memory", "128M"], &script);
    assert_eq!((report.status, &*report.stdout), (0, "survived\n"));
    assert!(!report.stderr.contains("OOMKilled"), "{}", report.stderr);
    assert!(summary(&report).ends_with("OOM kills 0"));
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn being_killed_by_another_process_is_no_oom_kill() {
    let _machine = Machine::new();
    let process = started(&["--memory", "64M"]);
    let pid = nix::unistd::Pid::from_raw(process.pid);
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("kill it");
    let report = process.wait();
    assert_eq!(report.status, 137);
    assert!(!report.stderr.contains("OOMKilled"), "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_group_over_its_cpu_time_has_to_wait() {
    let _machine = Machine::new();
    let throttled = |report: Report| {
        let words: Vec<_> = summary(&report).split(' ').collect();
        let at = words.iter().position(|word| *word == "throttled");
        let count = at.and_then(|at| words.get(at + 1)).expect("a count");
        count.parse::<u32>().expect("a number")
    };
    let flags = ["--network", "none", "--cpus", "0.1"];
    let process = start(STEP07, &flags, "while :; do :; done");
    let group = group_of(&process);
    let has_waited = || !file(&group, "cpu.stat").contains("nr_throttled 0\n");
    eventually("its group to wait", has_waited);
    // SIGKILL, as PID 1 heeds no other before the shell is told to.
    let pid = nix::unistd::Pid::from_raw(process.pid);
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("kill it");
    assert!(throttled(process.wait()) > 0, "it was not told");
    let report =
        step07(&["--cpus", "max"], "head -c 40000000 /dev/zero >/dev/null");
    assert_eq!(throttled(report), 0, "the control: it asked for none");
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn there_can_be_no_more_processes_than_allowed() {
    let _machine = Machine::new();
    let three = "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait; echo done";
    let report = step07(&["--pids", "3"], three);
    assert!(report.stderr.contains("can't fork"), "{}", report.stderr);
    let report = step07(&["--pids", "4"], three);
    assert_eq!(report.stdout, "done\n", "the control: {}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn it_runs_only_on_the_cpus_of_its_set() {
    let _machine = Machine::new();
    let all = started(&[]);
    let everywhere = all.status("Cpus_allowed_list");
    all.end();
    let process = started(&["--cpuset", "0"]);
    assert_eq!(process.status("Cpus_allowed_list"), "0");
    process.end();
    assert_ne!(everywhere, "0", "the control: there is more than one CPU");
    let report = step07(&["--cpuset", "1000"], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("cpuset.cpus"), "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn disk_traffic_is_limited_where_there_is_a_disk() {
    let _machine = Machine::new();
    let scratch = Path::new("/scratch").exists();
    assert!(scratch, "this test needs a folder /scratch on a disk");
    let flags = ["--volume", "/scratch:/data", "--io-write", "1M"];
    let process = started(&flags);
    let limit = file(&group_of(&process), "io.max");
    assert!(limit.contains("wbps=1048576") && limit.contains("rbps=max"));
    let disk = limit.split(' ').next().expect("a disk");
    assert!(Path::new("/sys/dev/block").join(disk).exists(), "{disk}");
    process.end();
    // Writes are in memory by default, where there is no disk to limit.
    let report = step07(&["--io-write", "1M"], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("no disk"), "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn the_smallest_memory_that_is_accepted_is_enough_to_start() {
    let _machine = Machine::new();
    let report = step07(&["--memory", "512K"], "echo alive");
    assert_eq!(report.stdout, "alive\n", "{}", report.stderr);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn the_next_run_sweeps_what_a_killed_launcher_left() {
    let machine = Machine::new();
    let killed = started(&[]);
    let other = started(&[]);
    let (left, alive) = (group_of(&killed), group_of(&other));
    killed.kill();
    assert!(left.exists(), "the control: SIGKILL leaves the empty group");
    // A PID that another process has now is no owner.
    let own = std::process::id();
    let impostor = Path::new(PARENT).join(format!("{own}-1"));
    fs::create_dir(&impostor).expect("make a group");
    let empty = || file(&left, "cgroup.events").contains("populated 0");
    eventually("the killed container's group to be empty", empty);
    step07(&[], "true");
    assert!(!left.exists() && !impostor.exists());
    assert!(alive.exists(), "the group of a running container was taken");
    other.end();
    drop(machine);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn without_root_a_delegated_group_is_needed() {
    let _machine = Machine::new();
    let (home, program) = (Folder::new(), Reachable::new(STEP07));
    let rootfs = home.text("rootfs");
    let made = witness::command("cp")
        .args(["-a", &default_rootfs(), &rootfs])
        .status();
    assert!(made.expect("run cp").success());
    let base = Path::new("/sys/fs/cgroup/witness-delegated");
    fs::create_dir(base).expect("make a group");
    let step07 = |flags: &str| {
        let script = format!(
            "echo $$ > {}/cgroup.procs && exec setpriv --reuid 1500 --regid \
             1500 --clear-groups --bounding-set -all --inh-caps -all \
             {} --rootfs {rootfs} {flags} -- cat /proc/self/cgroup",
            base.display(),
            program.path()
        );
        run("sh", &["-c", &script])
    };
    let refused = step07("--memory 64M");
    assert_eq!(refused.status, 125, "{}", refused.stderr);
    assert!(refused.stderr.contains("Delegate=yes"), "{}", refused.stderr);
    let free = step07("");
    assert_eq!(free.status, 0, "{}", free.stderr);
    assert!(free.stderr.contains("no handcuffs"), "{}", free.stderr);
    assert_eq!(free.stdout, "0::/witness-delegated\n");

    // What delegation means: cgroup-v2.rst, "Delegation".
    for name in ["", "cgroup.procs", "cgroup.subtree_control"] {
        chown(base.join(name), Some(1500), Some(1500)).expect("chown");
    }
    let limited = step07("--memory 64M");
    assert_eq!(limited.status, 0, "{}", limited.stderr);
    assert!(limited.stderr.contains("at most 64M"), "{}", limited.stderr);
    let group = limited.stdout.trim();
    assert!(group.starts_with("0::/witness-delegated/workshop/"), "{group}");

    for name in ["launcher", ""] {
        let group = base.join(name);
        eventually("the group to be empty", || fs::remove_dir(&group).is_ok());
    }
}

fn default_rootfs() -> String {
    run(STEP07, &["-q", "--network", "none", "true"]); // makes it
    let folder = Path::new(STEP07).ancestors().nth(2).expect("target");
    folder.join("rootfs").to_str().expect("a plain path").to_owned()
}

/// The folder of all groups can be opened by everybody, and so be locked.
#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_strangers_lock_on_the_tree_holds_up_nobody() {
    let _machine = Machine::new();
    let tree = || fs::File::open("/sys/fs/cgroup").expect("open the tree");
    let how = FlockArg::LockExclusiveNonblock;
    let lock = Flock::lock(tree(), how).map_err(|(_, errno)| errno);
    let _lock = lock.expect("lock the tree");
    assert!(Flock::lock(tree(), how).is_err(), "the control: it is held");
    // Nobody will let go of it: who waited for it would never come back.
    assert_eq!(step07(&["-q"], "true").status, 0);
    assert!(!Path::new(PARENT).exists(), "and tidied up");
}
