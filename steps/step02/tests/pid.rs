//! step02 from outside: PID 1, its shield and its duties.

use std::process::{Child, Command};

use nix::sys::signal::Signal;
use witness::{Machine, eventually, process, run, start};

const STEP02: &str = env!("CARGO_BIN_EXE_step02");

/// A process of the machine that nobody inside should reach.
fn bystander() -> Child {
    Command::new("sleep").arg("1000").spawn().expect("start a sleep")
}

#[test]
fn it_is_pid_1_inside_and_another_number_outside() {
    let _machine = Machine::new();
    let mut process = start(STEP02, &["-q"], "echo $$");
    assert_eq!(process.hear(), "1");
    let numbers = process.status("NSpid");
    assert_eq!(numbers.split_whitespace().last(), Some("1"));
    assert!(numbers.contains(&process.pid.to_string()), "{numbers}");
    assert!(process.is_apart("pid") && process.is_apart("uts"));
    assert!(!process.is_apart("mnt"), "that is step03's");
    process.end();
}

#[test]
fn what_has_no_number_cannot_be_signalled() {
    let _machine = Machine::new();
    let mut other = bystander();
    let kill = format!("kill -0 {}", other.id());
    let inside = run(STEP02, &["-q", "--", "sh", "-c", &kill]);
    assert_ne!(inside.status, 0, "it could be signalled");
    let outside = run("sh", &["-c", &kill]);
    assert_eq!(outside.status, 0, "the control: {}", outside.stderr);
    other.kill().and_then(|()| other.wait()).expect("end it");
}

#[test]
fn ps_still_shows_everything_until_step03() {
    let _machine = Machine::new();
    let mut other = bystander();
    let test = format!("test -d /proc/{}", other.id());
    let report = run(STEP02, &["-q", "--", "sh", "-c", &test]);
    assert_eq!(report.status, 0, "/proc is the machine's own here");
    other.kill().and_then(|()| other.wait()).expect("end it");
}

#[test]
fn pid_1_is_shielded_from_signals_that_it_has_no_handler_for() {
    let _machine = Machine::new();
    let mut process = start(STEP02, &["-q"], "exec cat");
    process.say("ready");
    assert_eq!(process.hear(), "ready");
    let caught = process.status("SigCgt");
    let caught = u64::from_str_radix(&caught, 16).expect("a mask");
    let terminate = 1 << (Signal::SIGTERM as i32 - 1);
    assert_eq!(caught & terminate, 0, "the premise: cat has no handler");
    process.signal(Signal::SIGTERM);
    process.say("alive");
    assert_eq!(process.hear(), "alive");
    let report = process.end();
    assert_eq!(report.status, 0);
    let told = report.stderr.contains("SIGTERM dropped");
    assert!(told && report.stderr.contains("--init"), "{}", report.stderr);
}

#[test]
fn a_second_interrupt_kills_a_shielded_command() {
    let _machine = Machine::new();
    let mut process = start(STEP02, &["-q"], "exec cat");
    process.say("ready");
    assert_eq!(process.hear(), "ready");
    process.signal(Signal::SIGINT);
    process.say("alive after one");
    assert_eq!(process.hear(), "alive after one", "the control");
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait().status, 137);
}

#[test]
fn an_init_hands_signals_on() {
    let _machine = Machine::new();
    for (signal, status) in
        [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)]
    {
        let mut process = start(STEP02, &["-q", "--init"], "exec cat");
        process.say("ready");
        assert_eq!(process.hear(), "ready");
        process.signal(signal);
        assert_eq!(process.wait().status, status, "{signal}");
    }
}

#[test]
fn an_init_passes_on_how_the_command_ended() {
    let _machine = Machine::new();
    for (script, status) in
        [("exit 7", 7), ("kill -KILL $$", 137), ("kill -SEGV $$", 139)]
    {
        let flags = ["-q", "--init", "--", "sh", "-c", script];
        assert_eq!(run(STEP02, &flags).status, status, "{script}");
    }
    let missing = run(STEP02, &["-q", "--init", "no-such-command"]);
    assert_eq!(missing.status, 127, "{}", missing.stderr);
    assert!(missing.stderr.contains("no-such-command"));
}

fn zombies_of(init: i32) -> usize {
    let children = process::children(init);
    children.iter().filter(|&&pid| process::state(pid) == Some('Z')).count()
}

#[test]
fn an_init_reaps_what_others_leave() {
    let _machine = Machine::new();
    // A `cat` as PID 1 never waits for anybody.
    let orphan = "sh -c '(sleep 0.05; exit) & exit'";
    let script = format!("{orphan}; exec cat");
    let mut plain = start(STEP02, &["-q"], &script);
    let pid = plain.pid;
    eventually("the control: a zombie stays", || zombies_of(pid) == 1);
    plain.say("on");
    assert_eq!(plain.hear(), "on");
    plain.end();

    let mut reaped = start(STEP02, &["-q", "--init"], &script);
    let pid = reaped.pid;
    reaped.say("on");
    assert_eq!(reaped.hear(), "on");
    eventually("the orphan to be reaped", || {
        process::children(pid).len() == 1
    });
    reaped.end();
}

#[test]
fn when_pid_1_ends_so_do_all_others() {
    let _machine = Machine::new();
    // Machine finds any process that is left in the namespace.
    let script = "setsid sleep 1000 & (setsid sh -c 'sleep 1000 & ' &) ";
    for flags in [&["-q"][..], &["-q", "--init"]] {
        assert_eq!(start(STEP02, flags, script).end().status, 0);
        let process = start(STEP02, flags, script);
        assert_eq!(process.kill().status, 137, "SIGKILL to the launcher");
    }
}
