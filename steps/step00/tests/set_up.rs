//! step00 from outside, while the new process waits at the gate.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Machine, Report, eventually, process};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("send a signal");
}

/// step00 under strace(1), which stops the new process at its first call and
/// answers that in the kernel's place: it does not die with its launcher yet.
struct SetUp {
    strace: Child,
    launcher: i32,
    process: i32,
}

impl SetUp {
    fn new() -> SetUp {
        let stop = "inject=prctl:retval=0:signal=SIGSTOP";
        let flags = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=prctl"];
        let strace = witness::command("strace")
            .args([&flags[..], &["-e", stop, STEP00, "echo", "run"]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start strace");
        let pid = strace.id() as i32;
        let (mut launcher, mut process) = (0, 0);
        eventually("the new process to be stopped", || {
            let child = |of: i32| process::children(of).first().copied();
            launcher = child(pid).unwrap_or_default();
            process = child(launcher).unwrap_or_default();
            // strace begins by trying itself out on children of its own.
            process::name(launcher) == "step00"
                && matches!(process::state(process), Some('t' | 'T'))
        });
        SetUp { strace, launcher, process }
    }

    /// Lets the process go on, and waits for its end.
    fn release(&self) {
        let process = Pid::from_raw(self.process);
        eventually("the process to end", || {
            // It may not have stopped yet, and will stop again.
            let _ = kill(process, Signal::SIGCONT);
            process::is_gone(self.process)
        });
    }

    fn wait(mut self) -> Report {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let read = "read what it printed";
        let mut pipe = self.strace.stdout.take().expect("a pipe");
        pipe.read_to_string(&mut stdout).expect(read);
        let mut pipe = self.strace.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut stderr).expect(read);
        let status = self.strace.wait().expect("wait for strace");
        let status = status.code().or(status.signal().map(|n| 128 + n));
        Report { status: status.expect("a status"), stdout, stderr }
    }
}

#[test]
fn an_interrupt_while_it_is_set_up_ends_both() {
    let _machine = Machine::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let set_up = SetUp::new();
        let process = set_up.process;
        send(set_up.launcher, signal);
        let report = set_up.wait();
        assert_eq!(report.status, 128 + signal as i32, "{}", report.stderr);
        assert!(report.stderr.contains("interrupted"), "{}", report.stderr);
        assert_eq!(report.stdout, "", "the command was not to run");
        assert!(process::is_gone(process));
    }
    // The control: left alone, it would have gone on.
    let set_up = SetUp::new();
    set_up.release();
    let report = set_up.wait();
    assert_eq!((report.status, &*report.stdout), (0, "run\n"));
}

#[test]
fn a_process_whose_launcher_died_first_does_not_run_its_command() {
    let _machine = Machine::new();
    let set_up = SetUp::new();
    let (launcher, process) = (set_up.launcher, set_up.process);
    send(launcher, Signal::SIGKILL);
    eventually("the launcher to die", || process::is_gone(launcher));
    assert!(!process::is_gone(process), "the control: it has not heard yet");
    set_up.release();
    assert_eq!(set_up.wait().stdout, "", "the command was not to run");
}
