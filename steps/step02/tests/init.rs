//! step02 --init from outside: PID 1's duties, done for the command.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Folder, Machine, Running, eventually, process, run, start};

const STEP02: &str = env!("CARGO_BIN_EXE_step02");

/// What the launcher hands on.
const SIGNALS: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

#[test]
fn the_command_is_its_child_and_number_2() {
    let _machine = Machine::new();
    let mut process = start(STEP02, &["-q", "--init"], "echo $$ $PPID");
    assert_eq!(process.hear(), "2 1");
    assert_eq!(process::name(process.pid), "step02");
    let children = process::children(process.pid);
    assert_eq!(process::name(children[0]), "sh");
    process.end();
    let mut process = start(STEP02, &["-q"], "echo $$ $PPID");
    assert_eq!(process.hear(), "1 0", "the control");
    process.end();
}

#[test]
fn it_hands_signals_on() {
    let _machine = Machine::new();
    for signal in SIGNALS {
        let script = "ulimit -c 0; echo ready; exec sleep 1000";
        let mut process = start(STEP02, &["-q", "--init"], script);
        assert_eq!(process.hear(), "ready");
        process.signal(signal);
        let report = process.wait();
        assert_eq!(report.status, 128 + signal as i32);
        assert_eq!(report.stderr, "", "nothing was dropped");
    }
}

#[test]
fn it_hands_on_what_those_inside_send_to_pid_1() {
    let _machine = Machine::new();
    let kill = "kill -TERM 1; echo sent; exec sleep 1000";
    let flags = ["-q", "--init", "--", "sh", "-c", kill];
    let report = run(STEP02, &flags);
    assert_eq!(report.status, 128 + Signal::SIGTERM as i32);
    // The control: as PID 1 itself it would have been shielded.
    let kill = "kill -TERM 1; echo sent; exit 3";
    assert_eq!(run(STEP02, &["-q", "--", "sh", "-c", kill]).status, 3);
}

#[test]
fn it_passes_on_how_the_command_ended() {
    let _machine = Machine::new();
    for status in [0, 7, 255] {
        let script = format!("exit {status}");
        let flags = ["-q", "--init", "--", "sh", "-c", &script];
        assert_eq!(run(STEP02, &flags).status, status);
    }
    // 34 is a real-time signal.
    for signal in [9, 11, 15, 34] {
        let script = format!("ulimit -c 0; kill -{signal} $$");
        let flags = ["-q", "--init", "--", "sh", "-c", &script];
        assert_eq!(run(STEP02, &flags).status, 128 + signal);
    }
}

#[test]
fn it_passes_on_why_the_command_could_not_be_executed() {
    let _machine = Machine::new();
    let folder = Folder::new();
    for (command, status) in
        [("no-such-command", 127), (&folder.text(""), 126), ("true", 0)]
    {
        let with = run(STEP02, &["-q", "--init", command]);
        assert_eq!(with.status, status, "{}", with.stderr);
        // The control: it says what it says without an init.
        assert_eq!(with.stderr, run(STEP02, &["-q", command]).stderr);
    }
}

/// Has the command leave an orphan, whose number outside is returned.
fn orphan(flags: &[&str]) -> (Running, i32) {
    let script = "(sh -c 'echo $$; exec sleep 1000' &) ; exec cat";
    let mut process = start(STEP02, flags, script);
    let inside = process.hear();
    // The shell, which may reap a child, has become the `cat`, which does not.
    process.say("ready");
    assert_eq!(process.hear(), "ready");
    let namespace = witness::namespace(process.pid, "pid");
    let mut orphan = 0;
    eventually("PID 1 to be its parent", || {
        let is_it = |pid: &i32| {
            let numbers = process::status(*pid, "NSpid").unwrap_or_default();
            numbers.split_whitespace().last() == Some(&inside)
        };
        let found = process::inhabitants(&namespace).into_iter().find(is_it);
        orphan = found.unwrap_or_default();
        process::children(process.pid).contains(&orphan)
    });
    (process, orphan)
}

#[test]
fn it_takes_the_orphans_and_leaves_no_zombies() {
    let _machine = Machine::new();
    // 34 is a real-time signal. Any way to end is a way to end.
    for signal in [libc::SIGTERM, libc::SIGKILL, 34] {
        let (mut process, orphan) = orphan(&["-q", "--init"]);
        send(orphan, signal);
        eventually("it to be reaped", || process::state(orphan).is_none());
        process.say("still here");
        assert_eq!(process.hear(), "still here");
        assert_eq!(process.end().status, 0);
    }
}

#[test]
fn without_it_a_zombie_stays_as_long_as_pid_1() {
    let _machine = Machine::new();
    let (mut process, orphan) = orphan(&["-q"]);
    send(orphan, libc::SIGKILL);
    eventually("it to be dead", || process::state(orphan) == Some('Z'));
    process.say("a word");
    assert_eq!(process.hear(), "a word");
    assert_eq!(process::state(orphan), Some('Z'), "`cat` reaps nobody");
    process.end();
    // When its namespace ends, the kernel itself takes it away.
    assert_eq!(process::state(orphan), None);
}

fn send(pid: i32, signal: i32) {
    match Signal::try_from(signal) {
        Ok(signal) => kill(Pid::from_raw(pid), signal).expect("send it"),
        // nix has no names for the real-time signals.
        Err(_) => {
            let command = format!("kill -{signal} {pid}");
            assert_eq!(run("sh", &["-c", &command]).status, 0);
        }
    }
}

#[test]
fn it_works_for_a_launcher_whose_parent_ignores_its_children() {
    let _machine = Machine::new();
    // Ignored SIGCHLD is inherited, and then there would be nothing to reap.
    let flags = ["--ignore-signal=CHLD", STEP02, "-q", "--init", "sh", "-c"];
    let report = run("env", &[&flags[..], &["exit 3"]].concat());
    assert_eq!(report.status, 3, "{}", report.stderr);
}
