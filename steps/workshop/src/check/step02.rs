//! step02: being PID 1.

mod birth;
mod orphans;

use std::process::Command;

use anyhow::Result;

use self::birth::Note;
use super::calls::Watch;
use super::report::Report;
use super::running::Running;
use super::{Attempt, Causes, outside};

const INIT: &[&str] = &["--init"];

/// What it says when init has stopped before its command has ended.
const STOPPED: &Causes = &[
    (
        &["IO Safety violation"],
        "`run_as_init` closes its own signalfd: `close_all_but` takes those \
         that are to stay open",
    ),
    (
        &["EBADF"],
        "`run_as_init` closes its own signalfd: `close_all_but` takes those \
         that are to stay open",
    ),
    (
        &[],
        "`run_as_init` ends before its command, and with PID 1 all others in \
         its namespace are killed: `look_after` the child, and then exit",
    ),
];

/// What is said of `reap` where init does not end as it should.
const REAP: &Causes = &[
    (&["overflowed its stack"], "`reap` calls itself, again and again"),
    (
        &["not yet implemented"],
        "`reap` has a todo!() left, at the line that is named",
    ),
    (
        &["panicked at"],
        "`reap` panics, at the line that is named: an error is to be returned",
    ),
    (
        &["ECHILD"],
        "`reap` takes ECHILD for an error: it says that no child is left to \
         be waited for",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let mut command = attempt.command(INIT, "echo begun; cat >/dev/null");
    let watch = birth::watch(&mut command, attempt.binary(), None)?;
    let Some(running) = start(attempt, command)? else { return Ok(()) };
    let init = running.pid;
    attempt.found(
        "it is in a PID namespace of its own",
        outside::is_apart(init, "pid"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWPID: was it changed?",
    )?;
    let command = first_two(attempt, &running)?;
    signals(attempt, init, &watch)?;
    descriptors(attempt, init, command)?;
    let ended = running.end()?;
    // SIGSEGV is blocked, too, and so its handler says nothing.
    let mistake = match ended.status == Some(128 + libc::SIGSEGV) {
        true => {
            "`reap` calls itself, again and again, or uses an address \
                 at which nothing is"
        }
        false => {
            "`reap` must return the ending of the command, and only of \
                  it: None is for as long as it runs"
        }
    };
    let what = "when the command is done, init ends with its status";
    attempt.ended(what, &ended, 0, REAP, mistake)?;
    unblocked(attempt)?;
    for (what, script, status) in [
        ("status 7 comes back as 7", "exit 7", 7),
        ("death by SIGTERM comes back as 128+15", "kill -TERM $$", 143),
    ] {
        let report = attempt.run(INIT, script)?;
        let mistake = "`run_as_init` is to exit with `ending.status()`, of \
                       the ending that `reap` has found";
        attempt.ended(what, &report, status, REAP, mistake)?;
    }
    let report = attempt.run_program(INIT, &["no-such-program"])?;
    attempt.ended(
        "a program that is not there is an error: 127",
        &report,
        127,
        REAP,
        "`run_as_init`: in the child, what `process::execute` returns is the \
         error, and has the status; return it",
    )?;
    orphans::look(attempt)?;
    birth::older_call(attempt)
}

/// Starts it. Init must be there as long as its command.
fn start(attempt: &mut Attempt, command: Command) -> Result<Option<Running>> {
    let what = "it starts with --init, and executes its command";
    let report = match Running::start(command)? {
        Ok(running) if is_alive(running.pid) => {
            attempt.found(what, true, "", "", "")?;
            return Ok(Some(running));
        }
        Ok(running) => running.end()?,
        Err(report) => report,
    };
    let likely = likely(&report);
    attempt.found(what, false, report.words(), "no error", &likely)?;
    Ok(None)
}

fn likely(report: &Report) -> String {
    let stopped = report.stopped_in("run_as_init");
    stopped.unwrap_or_else(|| report.likely(STOPPED, ""))
}

fn is_alive(pid: i32) -> bool {
    !["", "Z", "X"]
        .contains(&outside::status(pid, "State").get(..1).unwrap_or(""))
}

/// Who is who: returns the command's number.
fn first_two(attempt: &mut Attempt, running: &Running) -> Result<i32> {
    let init = running.pid;
    let program = |pid| outside::identity(format!("/proc/{pid}/exe")).ok();
    attempt.found(
        "PID 1 there is an init, and not the command itself",
        program(init) == program(running.launcher()),
        outside::name(init),
        "step02",
        "`run_as_init` executes the command as PID 1: it must fork, and it is \
         the child that executes it",
    )?;
    let command = outside::children(init).first().copied().unwrap_or(0);
    let numbers = outside::status(command, "NSpid");
    let own = numbers.split(' ').count();
    let outer = outside::status(init, "NSpid").split(' ').count();
    let mistake = match own > outer {
        true => "`run_as_init` forks into one more PID namespace: no flags, 0",
        false => {
            "`run_as_init` must fork, and execute the command in the child"
        }
    };
    attempt.same(
        "the command is its child, PID 2",
        match own > outer {
            true => "PID 1 of another namespace",
            false => numbers.split(' ').next_back().unwrap_or_default(),
        },
        2,
        mistake,
    )?;
    Ok(command)
}

/// What init has blocked, and since when; what it reads; that it sleeps.
fn signals(
    attempt: &mut Attempt,
    init: i32,
    watch: &Watch<Note>,
) -> Result<()> {
    birth::blocked(attempt, init, &watch.notes())?;
    let read = birth::signals_read(init);
    attempt.found(
        "it reads all of them from its signalfd",
        birth::has_all(read),
        format!("{read:016x}"),
        "every signal",
        "`run_as_init` reads only some of the signals: `SignalFd` takes the \
         same set that is blocked, all",
    )?;
    attempt.found(
        "and sleeps until there is one",
        birth::sleeps(init),
        "it never does",
        "a process asleep",
        "`run_as_init` opens its signalfd with SFD_NONBLOCK, and then goes \
         round in circles: without it, reading waits",
    )
}

/// A shell may change its own mask; this program does not.
fn unblocked(attempt: &mut Attempt) -> Result<()> {
    let asked = ["grep", "SigBlk:", "/proc/self/status"];
    let report = attempt.run_program(INIT, &asked)?;
    attempt.printed(
        "none of the command's signals is blocked",
        &report,
        "SigBlk:\t0000000000000000",
        REAP,
        "`run_as_init`: the child has to unblock them (SIG_SETMASK, none) \
         before it executes the command: blocked signals survive execve(2)",
    )
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
        "`run_as_init` keeps it open: `close_all_but` is missing in the \
         parent, and the launcher waits as long as somebody holds the gate",
    )?;
    attempt.same(
        "the command has not inherited init's signalfd",
        of_kind(command, "anon_inode:[signalfd]"),
        "",
        "`run_as_init` opens it without SFD_CLOEXEC, and then a descriptor \
         survives execve(2)",
    )
}
