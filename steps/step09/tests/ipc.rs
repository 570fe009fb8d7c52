//! step09 from outside: objects with a number and no path are hidden as well.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use witness::{Machine, Report, mount_at, run, start};

const STEP09: &str = env!("CARGO_BIN_EXE_step09");
const HOST: [&str; 2] = ["--ipc", "host"];

/// Runs a command of the machine's, but on a private copy of its files.
fn step09(flags: &[&str], command: &[&str]) -> Report {
    let image = ["-q", "--network", "none", "--image", "/"];
    run(STEP09, &[&image, flags, &["--"], command].concat())
}

/// A System V segment of the machine's, with a word in it.
struct Segment {
    key: i32,
    id: i32,
}

impl Segment {
    fn new(word: &str) -> Segment {
        let key = std::process::id() as i32;
        let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o666;
        // SAFETY: shmget takes plain numbers.
        let id = unsafe { libc::shmget(key, 64, flags) };
        assert_ne!(id, -1, "{}", std::io::Error::last_os_error());
        let segment = Segment { key, id };
        // SAFETY: a null address lets the kernel choose where to attach it.
        let memory = unsafe { libc::shmat(id, std::ptr::null(), 0) };
        assert_ne!(memory as isize, -1);
        // SAFETY: the segment has 64 bytes, the word has fewer, and nobody
        // else writes to it.
        unsafe {
            memory.copy_from(word.as_ptr().cast(), word.len());
            libc::shmdt(memory);
        }
        segment
    }

    /// How any other process gets at it: by its key alone.
    fn reader(&self) -> String {
        format!(
            "shmread(shmget({}, 64, 0) // die(\"$!\\n\"), $word, 0, 5) \
             or die(\"$!\\n\"); print $word",
            self.key
        )
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let none = std::ptr::null_mut();
        // SAFETY: IPC_RMID reads no buffer.
        unsafe { libc::shmctl(self.id, libc::IPC_RMID, none) };
    }
}

#[test]
fn two_processes_share_a_segment_outside_and_cannot_inside() {
    let _machine = Machine::new();
    let segment = Segment::new("hello");
    let reader = segment.reader();
    let perl = ["perl", "-e", &reader];

    let outside = run(perl[0], &perl[1..]);
    assert_eq!(outside.stdout, "hello", "{}", outside.stderr);
    let inside = step09(&[], &perl);
    assert_eq!(inside.stdout, "");
    assert!(inside.stderr.contains("No such file"), "{}", inside.stderr);
    let host = step09(&HOST, &perl);
    assert_eq!(host.stdout, "hello", "the control: {}", host.stderr);
}

#[test]
fn what_is_made_inside_is_gone_with_the_last_process() {
    let _machine = Machine::new();
    let list = || fs::read_to_string("/proc/sysvipc/shm").expect("read it");
    let before = list();
    let made = step09(&[], &["ipcmk", "-M", "4096"]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    assert_eq!(list(), before);

    let made = step09(&HOST, &["ipcmk", "-M", "4096"]);
    assert_ne!(list(), before, "the control");
    let id = made.stdout.split_whitespace().last().expect("an id").to_owned();
    assert_eq!(run("ipcrm", &["-m", &id]).status, 0);
    assert_eq!(list(), before);
}

#[test]
fn message_queues_are_its_own() {
    let _machine = Machine::new();
    // A queue is a file: to make the one makes the other (mq_overview(7)).
    let script = "touch /dev/mqueue/one; echo made; read line; \
                  ls /dev/mqueue; cat /dev/mqueue/one";
    let flags = ["-q", "--network", "none"];
    let mut first = start(STEP09, &flags, script);
    assert_eq!(first.hear(), "made");
    let mount = mount_at(first.pid, "/dev/mqueue").expect("it is mounted");
    assert_eq!(mount.kind, "mqueue");
    for flag in ["nosuid", "nodev", "noexec"] {
        assert!(mount.flags.iter().any(|f| f == flag), "{:?}", mount.flags);
    }
    let second = step09(&[], &["ls", "/dev/mqueue"]);
    assert_eq!((second.status, second.stdout.as_str()), (0, ""));
    first.say("");
    assert_eq!(first.hear(), "one", "the control: its maker sees it");
    assert!(first.hear().starts_with("QSIZE:"), "it is really a queue");
    first.end();
}

#[test]
fn its_own_group_is_the_root_of_all_that_it_sees() {
    let _machine = Machine::new();
    let flags = ["-q", "--network", "none"];
    let script = "grep ^0:: /proc/self/cgroup";
    let mut process = start(STEP09, &flags, script);
    assert!(process.is_apart("cgroup"));
    assert_eq!(process.hear(), "0::/");
    let outside = process.read("cgroup");
    let has_groups = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    if has_groups.expect("look for cgroup v2") {
        assert!(outside.contains("0::/workshop/"), "the control: {outside}");
    }
    process.end();
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn its_own_limits_can_be_read_and_not_written() {
    let _machine = Machine::new();
    let limits = ["--memory", "64M", "--pids", "20", "--cpus", "0.5"];
    let place = "/sys/fs/cgroup";
    let script = "cd /sys/fs/cgroup && cat memory.max cpu.max pids.max; \
                  ls -d workshop cgroup.procs";
    for network in ["none", "host"] {
        let flags = ["-q", "--network", network];
        let mut process =
            start(STEP09, &[&flags, &limits[..]].concat(), script);
        for line in ["67108864", "50000 100000", "20", "cgroup.procs"] {
            assert_eq!(process.hear(), line, "--network {network}");
        }
        let found = mount_at(process.pid, place).expect("it is mounted");
        assert_eq!(found.kind, "cgroup2");
        for flag in ["ro", "nosuid", "nodev", "noexec"] {
            assert!(found.flags.iter().any(|it| it == flag), "{flag}");
        }
        process.end();
    }
    // Whatever the umask of who starts it, and whoever is root inside.
    let script = "umask 077; exec \"$@\" cat /sys/fs/cgroup/pids.max";
    let words = ["-c", script, "sh", "env", "SUDO_UID=1500", "SUDO_GID=1600"];
    let flags = [STEP09, "-q", "--network", "none", "--pids", "20"];
    let umask = run("sh", &[&words[..], &flags].concat());
    assert_eq!(umask.stdout, "20\n", "{}", umask.stderr);
    // No powers are needed to be refused, and none help: without the filter
    // root here may make the mount writable, but not the machine's files.
    let raise = |before: &str| {
        let script = format!(
            "{before}; cd /sys/fs/cgroup; echo 1 >memory.max; mkdir x; \
             echo 1 >cgroup.procs; echo 1 >cgroup.freeze; cat memory.max"
        );
        let free = ["--seccomp", "none"];
        let flags = [&limits[..], &free].concat();
        step09(&flags, &["sh", "-c", &script])
    };
    let (closed, open) =
        (raise("true"), raise("mount -o remount,bind,rw /sys/fs/cgroup"));
    assert_eq!(closed.stdout, "67108864\n");
    let count = |report: &Report, word| report.stderr.matches(word).count();
    assert_eq!(count(&closed, "Read-only file system"), 4, "{closed:?}");
    assert_eq!(open.stdout, "67108864\n");
    assert_eq!(count(&open, "Permission denied"), 4, "the control: {open:?}");
}

#[test]
fn no_volume_covers_its_groups() {
    let _machine = Machine::new();
    let run = |place: &str| {
        let volume = format!("/tmp:{place}");
        let flags = ["-q", "--network", "none", "--volume", &volume];
        run(STEP09, &[&flags[..], &["true"]].concat())
    };
    let refused = run("/sys/fs/cgroup");
    assert_eq!(refused.status, 125);
    let why = "keep what is the kernel's";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    assert_eq!(run("/srv").status, 0, "the control");
}

#[test]
fn without_limits_no_groups_are_shown() {
    let _machine = Machine::new();
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
    if unified.expect("look for cgroup v2") {
        return;
    }
    let list = |network| {
        let flags = ["-q", "--network", network, "--", "ls", "/sys/fs/cgroup"];
        run(STEP09, &flags)
    };
    assert_eq!((list("none").status, &*list("none").stdout), (0, ""));
    assert_ne!(list("host").stdout, "", "the control: the machine's");
}

#[test]
fn uptime_differs_and_the_date_does_not() {
    let _machine = Machine::new();
    let seconds = || {
        let uptime = fs::read_to_string("/proc/uptime").expect("read it");
        let whole = uptime.split('.').next().map(str::parse::<i64>);
        whole.expect("a number").expect("a number")
    };
    let date = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.expect("a date after 1970").as_secs() as i64
    };
    let look = |flags: &[&str]| -> Vec<i64> {
        let script = "cut -d. -f1 /proc/uptime; date +%s";
        let report = step09(flags, &["sh", "-c", script]);
        assert_eq!(report.status, 0, "{}", report.stderr);
        let numbers = report.stdout.split_whitespace();
        numbers.map(|n| n.parse().expect("a number")).collect()
    };
    for offset in ["1000000", "-1", "0"] {
        let shift: i64 = offset.parse().expect("a number");
        let before = (seconds() + shift, date());
        let inside = look(&["--boottime-offset", offset]);
        let after = (seconds() + shift, date());
        // Cut off at whole seconds, once inside and once outside.
        assert!((before.0 - 1..=after.0 + 1).contains(&inside[0]));
        assert!((before.1..=after.1).contains(&inside[1]));
    }
    let plain = look(&[]);
    assert!(plain[0] <= seconds(), "the control: no offset, no difference");
}

#[test]
fn the_ledger_reads_all_three_back() {
    let _machine = Machine::new();
    let flags = ["--network", "none", "--boottime-offset", "500"];
    let process = start(STEP09, &flags, "");
    for kind in ["ipc", "cgroup", "time"] {
        assert!(process.is_apart(kind), "{kind}");
    }
    let ledger = process.end().stderr;
    for line in ["blind  ipc ", "blind  cgroups ", "differs by 500 s"] {
        assert!(ledger.contains(line), "{ledger}");
    }
    let flags = ["--network", "none", "--ipc", "host"];
    let process = start(STEP09, &flags, "");
    for kind in ["ipc", "time"] {
        assert!(!process.is_apart(kind), "the control: {kind}");
    }
    let ledger = process.end().stderr;
    for line in ["SEES   ipc ", "SEES   time "] {
        assert!(ledger.contains(line), "{ledger}");
    }
}

#[test]
fn an_uptime_below_zero_is_an_error_that_says_so() {
    let _machine = Machine::new();
    let back = ["--boottime-offset", "-99999999999"];
    let report = step09(&back, &["true"]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.starts_with("step09: "), "{}", report.stderr);
    // An exercise may say it in other words.
    if !cfg!(feature = "exercise") {
        assert!(report.stderr.contains("must not become negative"));
        assert!(report.stderr.contains("-99999999999 seconds"));
    }
    assert_eq!(step09(&["--boottime-offset", "-1"], &["true"]).status, 0);
}
