//! step02 from outside: numbers of its own, PID 1's shield, and its end.

use std::process::Child;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use witness::{
    Folder, Machine, Running, eventually, namespace, process, run, start,
};

const STEP02: &str = env!("CARGO_BIN_EXE_step02");

/// A process of the machine that no process inside should reach.
struct Bystander(Child);

impl Bystander {
    fn new() -> Bystander {
        let sleep = witness::command("sleep").arg("1000").spawn();
        let bystander = Bystander(sleep.expect("start a sleep"));
        // Until it sleeps it has files of its C library open.
        let call = format!("/proc/{}/syscall", bystander.0.id());
        let sleeps = format!("{} ", nix::libc::SYS_clock_nanosleep);
        eventually("the sleep to sleep", || {
            std::fs::read_to_string(&call)
                .is_ok_and(|call| call.starts_with(&sleeps))
        });
        bystander
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        ended.expect("end the sleep");
    }
}

/// A `cat` as PID 1, or as the child of an init.
fn cat(flags: &[&str]) -> Running {
    let mut process = start(STEP02, flags, "exec cat");
    process.say("ready");
    assert_eq!(process.hear(), "ready");
    process
}

/// Waits until the launcher has dealt with this signal.
fn taken(process: &Running, signal: Signal) {
    process.signal(signal);
    eventually("the launcher to take the signal", || {
        !process::has_signal(process.launcher(), "ShdPnd", signal)
    });
}

#[test]
fn it_is_pid_1_inside_and_another_number_outside() {
    let _machine = Machine::new();
    let mut process = start(STEP02, &[], "echo $$");
    assert_eq!(process.hear(), "1");
    let numbers = process.status("NSpid");
    assert_eq!(numbers, format!("{}\t1", process.pid));
    assert!(process.is_apart("pid") && process.is_apart("uts"));
    for kind in ["mnt", "net", "user", "ipc", "cgroup", "time"] {
        assert!(!process.is_apart(kind), "{kind} is another one, too");
    }
    // The control: the launcher has one number.
    let launchers = process::status(process.launcher(), "NSpid");
    assert_eq!(launchers, Some(process.launcher().to_string()));
    let pid = process.pid;
    let report = process.end();
    let line = format!("PID 1 inside, {pid} outside");
    assert!(report.stderr.contains(&line), "{}", report.stderr);
}

#[test]
fn what_has_no_number_cannot_be_signalled() {
    let _machine = Machine::new();
    let other = Bystander::new();
    let kill = format!("kill -0 {}", other.0.id());
    let inside = run(STEP02, &["-q", "--", "sh", "-c", &kill]);
    assert_ne!(inside.status, 0, "it could be signalled");
    let said = inside.stderr;
    assert!(said.contains("No such process"), "not ESRCH: {said}");
    let outside = run("sh", &["-c", &kill]);
    assert_eq!(outside.status, 0, "the control: {}", outside.stderr);
}

#[test]
fn ps_still_shows_everything_until_step03() {
    let _machine = Machine::new();
    let other = Bystander::new();
    let test = format!("test -d /proc/{}", other.0.id());
    let report = run(STEP02, &["-q", "--", "sh", "-c", &test]);
    assert_eq!(report.status, 0, "/proc is the machine's own here");
}

#[test]
fn no_descriptor_of_ours_comes_along() {
    let _machine = Machine::new();
    let open = |pid: i32| {
        let path = format!("/proc/{pid}/fd");
        std::fs::read_dir(path).expect("look").count()
    };
    // What any child of this test has, be it three or more.
    let other = Bystander::new();
    let ordinary = open(other.0.id() as i32);
    let process = cat(&["-q"]);
    assert_eq!(open(process.pid), ordinary);
    assert!(open(process.launcher()) > ordinary, "the control");
    process.end();
    let process = cat(&["-q", "--init"]);
    assert_eq!(open(process::children(process.pid)[0]), ordinary);
    // Init has closed all but the three, and listens to its signals.
    assert_eq!(open(process.pid), 4);
    process.end();
}

#[test]
fn pid_1_is_shielded_from_what_it_has_no_handler_for() {
    let _machine = Machine::new();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1] {
        let mut process = cat(&["-q"]);
        for mask in ["SigCgt", "SigIgn", "SigBlk"] {
            let is_set = process::has_signal(process.pid, mask, signal);
            assert!(!is_set, "the premise: nothing is done about {signal}");
        }
        taken(&process, signal);
        process.say("alive");
        assert_eq!(process.hear(), "alive");
        let pending = process::has_signal(process.pid, "ShdPnd", signal);
        assert!(!pending, "it is not kept for later: it is lost");
        let report = process.end();
        assert_eq!(report.status, 0);
        let told = report.stderr.contains(&format!("{signal} dropped"));
        assert!(told && report.stderr.contains("--init"), "{}", report.stderr);
    }
}

#[test]
fn a_handler_takes_the_shield_away_and_nothing_is_said() {
    let _machine = Machine::new();
    let script = "sleep 1000 & trap 'kill $!; exit 3' TERM; echo set; wait";
    for flags in [&["-q"][..], &["-q", "--init"]] {
        let mut process = start(STEP02, flags, script);
        assert_eq!(process.hear(), "set");
        process.signal(Signal::SIGTERM);
        let report = process.wait();
        assert_eq!((report.status, &*report.stderr), (3, ""), "{flags:?}");
    }
}

#[test]
fn what_it_ignores_of_its_own_will_was_not_lost() {
    let _machine = Machine::new();
    let script = "trap '' TERM; echo set; exec cat";
    let mut process = start(STEP02, &["-q"], script);
    assert_eq!(process.hear(), "set");
    taken(&process, Signal::SIGTERM);
    let report = process.end();
    assert_eq!((report.status, &*report.stderr), (0, ""));
}

#[test]
fn a_second_interrupt_kills_a_shielded_command() {
    let _machine = Machine::new();
    let mut process = cat(&["-q"]);
    taken(&process, Signal::SIGINT);
    process.say("alive after one");
    assert_eq!(process.hear(), "alive after one", "the control");
    process.signal(Signal::SIGINT);
    let report = process.wait();
    assert_eq!(report.status, 128 + 9);
    assert!(report.stderr.contains("Once more kills it"), "{report:?}");
    assert!(!report.stderr.contains('\r'), "this is not a terminal");
}

/// A child, one in a session of its own, and one whose parent has ended.
const FAMILY: &str = "sleep 1000 >/dev/null 2>&1 &
    setsid sleep 1000 >/dev/null 2>&1 &
    (setsid sh -c 'sleep 1000 & exec sleep 1000' >/dev/null 2>&1 &)
    exec cat";

/// Starts that, and waits until four sleep. Returns the namespace, too.
fn family(flags: &[&str]) -> (Running, String) {
    let process = start(STEP02, flags, FAMILY);
    let namespace = namespace(process.pid, "pid");
    eventually("all four to sleep", || {
        let all = process::inhabitants(&namespace);
        all.iter().filter(|&&pid| process::name(pid) == "sleep").count() == 4
    });
    (process, namespace)
}

#[test]
fn when_pid_1_ends_the_kernel_kills_all_others() {
    let _machine = Machine::new();
    for flags in [&["-q"][..], &["-q", "--init"]] {
        let (process, namespace) = family(flags);
        let report = process.end();
        assert_eq!(report.status, 0);
        assert_eq!(process::inhabitants(&namespace), [], "at once");
    }
}

#[test]
fn it_kills_those_that_are_stopped_as_well() {
    let _machine = Machine::new();
    let script = "sleep 1000 & kill -STOP $!; echo stopped; exec cat";
    let mut process = start(STEP02, &["-q"], script);
    assert_eq!(process.hear(), "stopped");
    let sleep = process::children(process.pid)[0];
    eventually("it to be stopped", || process::state(sleep) == Some('T'));
    process.end();
    assert!(process::is_gone(sleep));
}

#[test]
fn sigkill_to_the_launcher_leaves_nobody() {
    let _machine = Machine::new();
    for flags in [&["-q"][..], &["-q", "--init"]] {
        let (process, namespace) = family(flags);
        assert_eq!(process.kill().status, 128 + 9);
        eventually("everybody to be gone", || {
            process::inhabitants(&namespace).is_empty()
        });
    }
}

#[test]
fn two_at_once_know_nothing_of_each_other() {
    let _machine = Machine::new();
    let (one, two) = (cat(&["-q"]), cat(&["-q"]));
    assert_ne!(namespace(one.pid, "pid"), namespace(two.pid, "pid"));
    let alone = process::inhabitants(&namespace(one.pid, "pid"));
    assert_eq!(alone, [one.pid]);
    assert_eq!((one.end().status, two.end().status), (0, 0));
}

#[test]
fn short_help_is_about_this_rung_and_long_help_about_all() {
    let _machine = Machine::new();
    let short = run(STEP02, &["-h"]).stdout;
    let long = run(STEP02, &["--help"]).stdout;
    assert!(short.contains("--init") && long.contains("--init"));
    for flag in ["--hostname", "--quiet"] {
        assert!(!short.contains(flag), "{short}");
        assert!(long.contains(flag), "{long}");
    }
}

/// The control for every test that holds a [`Machine`].
#[test]
fn what_is_left_behind_would_be_seen() {
    let machine = Machine::new();
    // A neighbour's cable may be on its way.
    eventually("no change", || machine.changes().is_empty());
    let process = start(STEP02, &["-q"], "");
    let seen = machine.changes().join("\n");
    for pid in [process.launcher(), process.pid] {
        assert!(seen.contains(&format!("+process {pid} ")), "{seen}");
    }
    // An orphan is seen as well, whichever process made it.
    process.end();
    let script =
        "setsid unshare --pid --fork sleep 1000 >/dev/null 2>&1 & echo $!";
    let orphan = run("sh", &["-c", script]).stdout;
    let orphan: i32 = orphan.trim().parse().expect("a number");
    let seen = || machine.changes().iter().any(|what| what.contains("sleep"));
    eventually("the orphan to be seen", seen);
    let pid = process::children(orphan)[0];
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("end it");
}

#[test]
fn what_others_mount_meanwhile_is_not_ours() {
    let machine = Machine::new();
    let theirs = Folder::below(std::path::Path::new("/run"));
    let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
    // The control: one in a folder of the test's own.
    for (folder, is_ours) in [(&theirs, false), (&Folder::new(), true)] {
        mount(kind, folder.path(), kind, flags, None::<&str>).expect("mount");
        let seen = machine.changes().join("\n");
        umount2(folder.path(), MntFlags::empty()).expect("unmount");
        assert_eq!(seen.contains("+mount /"), is_ours, "{seen}");
    }
}
