//! step00 from outside: signals are for the command, and SIGKILL is for both.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Machine, eventually, process, start};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

/// What step00 hands on.
const SIGNALS: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("send a signal");
}

/// A command, and the first line that it has printed.
fn begin(program: &str, script: &str) -> (Child, BufReader<ChildStdout>) {
    let flags = match program {
        STEP00 => &["-q", "--", "sh", "-c", script][..],
        _ => &["-c", script],
    };
    let mut child = witness::command(program)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start it");
    let stdout = child.stdout.take().expect("a pipe");
    let mut stdout = BufReader::new(stdout);
    assert_eq!(line(&mut stdout), "ready");
    (child, stdout)
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("read a line");
    line.trim_end().to_owned()
}

fn after(signal: Signal, program: &str, script: &str) -> ExitStatus {
    let (mut child, _stdout) = begin(program, script);
    send(child.id() as i32, signal);
    child.wait().expect("wait for it")
}

#[test]
fn a_signal_to_the_launcher_ends_the_command_and_only_thereby_the_launcher() {
    let _machine = Machine::new();
    let script = "ulimit -c 0; echo ready; exec sleep 1000";
    for signal in SIGNALS {
        let number = signal as i32;
        let status = after(signal, STEP00, script);
        assert_eq!(status.code(), Some(128 + number), "{signal}");
        // The controls: a process without a launcher, and a launcher that
        // cannot forward the signal (SIGKILL).
        assert_eq!(after(signal, "sh", script).signal(), Some(number));
    }
    let status = after(Signal::SIGKILL, STEP00, script);
    assert_eq!((status.code(), status.signal()), (None, Some(9)));
}

#[test]
fn the_command_may_do_with_it_what_it_likes() {
    let _machine = Machine::new();
    for signal in SIGNALS {
        let name = &signal.as_str()[3..];
        let script = format!(
            "sleep 1000 & trap 'kill $!; echo {name}; exit 3' {name}
             echo ready; wait"
        );
        let (mut child, mut stdout) = begin(STEP00, &script);
        send(child.id() as i32, signal);
        assert_eq!(line(&mut stdout), name);
        assert_eq!(child.wait().expect("wait").code(), Some(3));
    }
}

#[test]
fn a_window_that_changes_its_size_is_the_launchers_affair() {
    let _machine = Machine::new();
    // On a shared terminal the kernel tells the command by itself.
    let script = "sleep 1000 & trap 'echo told' WINCH; trap 'kill $!' USR1
                  echo ready; while kill -0 $!; do wait; done 2>/dev/null; exit 0";
    let count = |pid: fn(&Child) -> i32| {
        let (mut child, mut stdout) = begin(STEP00, script);
        send(pid(&child), Signal::SIGWINCH);
        eventually("the signal to be taken", || {
            let launcher = child.id() as i32;
            !process::has_signal(launcher, "ShdPnd", Signal::SIGWINCH)
        });
        send(child.id() as i32, Signal::SIGUSR1);
        let mut told = String::new();
        stdout.read_to_string(&mut told).expect("read it");
        assert_eq!(child.wait().expect("wait for it").code(), Some(0));
        told
    };
    assert_eq!(count(|child| child.id() as i32), "");
    let command = |child: &Child| process::children(child.id() as i32)[0];
    assert_eq!(count(command), "told\n", "the control");
}

#[test]
fn sigkill_takes_the_child_along_but_not_the_grandchild() {
    let _machine = Machine::new();
    let script = "sleep 1000 >/dev/null 2>&1 & echo $!; exec cat";
    let mut process = start(STEP00, &["-q"], script);
    let grandchild: i32 = process.hear().parse().expect("its number");
    let child = process.pid;
    assert_eq!(process::children(child)[0], grandchild);
    let report = process.kill();
    assert_eq!(report.status, 128 + 9);
    assert!(process::is_gone(child));
    // Nothing ties it to the launcher: step02's namespace will.
    assert!(!process::is_gone(grandchild), "it should have survived");
    send(grandchild, Signal::SIGKILL);
    eventually("the grandchild to end", || process::is_gone(grandchild));
}
