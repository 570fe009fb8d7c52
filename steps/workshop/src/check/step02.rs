//! step02: being PID 1.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::running::Running;
use super::{Attempt, Causes, outside};

const INIT: &[&str] = &["--init"];
const CAUSES: &Causes = &[];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(INIT, "", CAUSES)? else {
        return Ok(());
    };
    let init = running.pid;
    attempt.found(
        "it is in a PID namespace of its own",
        outside::is_apart(init, "pid"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWPID: was it changed?",
    )?;
    let command = outside::children(init).first().copied().unwrap_or(0);
    let number = outside::status(command, "NSpid");
    attempt.same(
        "init is PID 1 there, and the command is its child, PID 2",
        number.split(' ').next_back().unwrap_or_default(),
        2,
        "`run_as_init` must fork, and execute the command in the child",
    )?;
    // A shell may change its own mask; this program does not.
    let asked = ["grep", "SigBlk:", "/proc/self/status"];
    let report = attempt.run_program(INIT, &asked)?;
    attempt.printed(
        "none of the command's signals is blocked",
        &report,
        "SigBlk:\t0000000000000000",
        CAUSES,
        "the child has to unblock them before it executes the command: \
         blocked signals survive execve(2)",
    )?;
    descriptors(attempt, init, command)?;
    let ended = running.end()?;
    attempt.ended(
        "when the command is done, init ends with its status",
        &ended,
        0,
        CAUSES,
        "`reap` must return the ending of the command, and only of it",
    )?;
    let report = attempt.run(INIT, "exit 7")?;
    let mistake = "init is to exit with `ending.status()`";
    attempt.ended("status 7 comes back as 7", &report, 7, CAUSES, mistake)?;
    orphans(attempt)
}

/// Which process holds what open.
fn descriptors(attempt: &mut Attempt, init: i32, command: i32) -> Result<()> {
    let of_kind = |pid, kind: &str| {
        let all = outside::descriptors(pid).into_iter();
        let some: Vec<String> = all.filter(|d| d.starts_with(kind)).collect();
        some.join(" ")
    };
    attempt.same(
        "init has closed the gate to the launcher",
        of_kind(init, "socket:"),
        "",
        "`close_all_but` is missing in the parent: the launcher waits as \
         long as somebody holds the gate open",
    )?;
    attempt.same(
        "the command has not inherited init's signalfd",
        of_kind(command, "anon_inode:[signalfd]"),
        "",
        "SFD_CLOEXEC is missing: without it a descriptor survives execve(2)",
    )
}

/// Three orphans die while init is stopped: there is one SIGCHLD for all.
fn orphans(attempt: &mut Attempt) -> Result<()> {
    let script = "for i in 1 2 3; do (sleep 0.5 &); done";
    let Some(running) = attempt.start(INIT, script, CAUSES)? else {
        return Ok(());
    };
    let init = Pid::from_raw(running.pid);
    kill(init, Signal::SIGSTOP)?;
    sleep(Duration::from_millis(900));
    kill(init, Signal::SIGCONT)?;
    sleep(Duration::from_millis(200));
    attempt.same(
        "three orphans end at once, and none is left a zombie",
        zombies(&running),
        0,
        "`reap` is called once for each SIGCHLD, but one may stand for \
         several: ask until nobody is left",
    )?;
    let report = running.signal(Signal::SIGTERM)?;
    attempt.ended(
        "SIGTERM is handed on to the command, also after that",
        &report,
        143,
        CAUSES,
        "init waits in `reap` for the next child to end, and hears nothing: \
         WNOHANG makes it return at once",
    )
}

fn zombies(running: &Running) -> usize {
    let children = outside::children(running.pid).into_iter();
    let is_dead = |pid: &i32| outside::status(*pid, "State").starts_with('Z');
    children.filter(is_dead).count()
}
