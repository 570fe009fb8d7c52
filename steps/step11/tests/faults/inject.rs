//! A run in which one process meets one fault.
//!
//! strace counts the calls of each process that it follows for itself. So that
//! only the intended process meets the fault:
//!
//! - the launcher is traced alone (no `-f`);
//! - the container is traced by a second strace, which is attached to it while
//!   it waits at the gate and its launcher is stopped;
//! - a detached launcher is out of reach both ways: there all are followed,
//!   and the first that makes the call meets the fault.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{Folder, process};

use crate::STEP11;
use crate::case::Case;
use crate::lab::reap;
use crate::listing::Role;
use crate::point::Point;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The kernel answers with an error, and has done nothing.
    Error,
    /// The process is killed with SIGKILL as it makes the call.
    Kill,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Its status, or 128+N for signal N; `None` when it did not end in time.
    pub status: Option<i32>,
    /// What it has printed.
    pub stderr: String,
    /// Has the fault happened?
    pub is_met: bool,
}

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs the case with this fault at this point.
pub fn inject(case: &Case, point: &Point, fault: Fault) -> Outcome {
    let folder = Folder::new();
    let log = folder.text("log");
    let call = &point.call;
    let what = match fault {
        Fault::Error => format!("error={:?}", point.errno()),
        Fault::Kill => "signal=KILL".into(),
    };
    let trace = trace(&call.name, &what, call.when);
    let stderr = folder.text("stderr");
    let start = |log: &str, flags: &[String]| {
        witness::command("strace")
            .args(["-qq", "-o", log])
            .args(flags)
            .arg(STEP11)
            .args(&case.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).expect("make a file"))
            .spawn()
            .expect("start strace")
    };
    let start_time = Instant::now();
    let status = match (call.role, case.follows) {
        (Role::Container, false) => {
            let (name, when) = case.hold.clone().expect("a call to stop at");
            let hold = self::trace(&name, "signal=STOP", when);
            let strace = start("/dev/null", &hold);
            hold_and_attach(strace, &trace, &log, start_time)
        }
        (_, follows) => {
            let mut flags = trace.clone();
            flags.extend(follows.then(|| "-f".into()));
            let mut strace = start(&log, &flags);
            wait(&mut strace, start_time, || {})
        }
    };
    reap();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let sign = match fault {
        Fault::Error => "(INJECTED)",
        Fault::Kill => "+++ killed by SIGKILL",
    };
    let stderr = fs::read(&stderr).expect("read stderr");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    Outcome { status, stderr, is_met: text.contains(sign) }
}

fn trace(name: &str, what: &str, when: u32) -> Vec<String> {
    let inject = format!("inject={name}:{what}:when={when}");
    let filter = format!("trace={name}");
    ["-e", &filter, "-e", &inject].map(String::from).to_vec()
}

/// The launcher is stopped after it has made the container's process; that is
/// waiting at the gate, and so there is time to attach a second strace to it.
fn hold_and_attach(
    mut strace: Child,
    trace: &[String],
    log: &str,
    start: Instant,
) -> Option<i32> {
    let (mut launcher, mut container) = (0, 0);
    let mut is_there = || {
        // Something may have gone wrong before.
        if strace.try_wait().is_ok_and(|status| status.is_some()) {
            return true;
        }
        let child = |of: i32| process::children(of).last().copied();
        launcher = child(strace.id() as i32).unwrap_or_default();
        container = child(launcher).unwrap_or_default();
        process::name(launcher) == "step11" && waits_at_gate(container)
    };
    let mut second = None;
    if soon(start, &mut is_there) && container != 0 {
        let attached = witness::command("strace")
            .args(["-qq", "-o", log, "-p", &container.to_string()])
            .args(trace)
            .stderr(Stdio::null())
            .spawn()
            .expect("start strace");
        let pid = attached.id().to_string();
        // A container that is killed at the gate is gone at once.
        soon(start, || {
            process::is_gone(container)
                || process::status(container, "TracerPid").as_ref()
                    == Some(&pid)
        });
        second = Some(attached);
    }
    let launcher = Pid::from_raw(launcher);
    let status = wait(&mut strace, start, || {
        // It may not have stopped yet, and will.
        if matches!(process::state(launcher.as_raw()), Some('t' | 'T')) {
            let _ = kill(launcher, Signal::SIGCONT);
        }
    });
    if let Some(mut second) = second {
        wait(&mut second, start, || {});
    }
    status
}

/// Is it in recvmsg(2)? Of the launcher's children only the container is.
fn waits_at_gate(pid: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall"));
    let gate = format!("{} ", libc::SYS_recvmsg);
    call.is_ok_and(|call| call.starts_with(&gate))
}

fn soon(start: Instant, mut is_true: impl FnMut() -> bool) -> bool {
    while !is_true() {
        if start.elapsed() > LIMIT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Waits for its end, and ends it when the time is up.
fn wait(
    strace: &mut Child,
    start: Instant,
    mut meanwhile: impl FnMut(),
) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    let mut status = None;
    let has_ended = || {
        meanwhile();
        status = strace.try_wait().expect("wait for strace");
        status.is_some()
    };
    if !soon(start, has_ended) {
        end_all(strace.id() as i32);
    }
    let status = status?;
    status.code().or(status.signal().map(|signal| 128 + signal))
}

/// Ends a process and all that descends from it, the youngest first.
fn end_all(pid: i32) {
    process::children(pid).into_iter().for_each(end_all);
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}
