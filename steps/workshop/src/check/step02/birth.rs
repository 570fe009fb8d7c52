//! How init comes by its child: in which state it forks, and with which call.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use nix::errno::Errno;

use super::{INIT, REAP};
use crate::check::calls::{Answer, Call, Watch};
use crate::check::{Attempt, outside, running};

/// A fork of init's, and the signals that it had blocked then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note(u64);

/// Notes the forks of the PID 1 that runs `binary`, and answers its clone3(2)
/// with an error, if one is given.
pub(super) fn watch(
    command: &mut Command,
    binary: &Path,
    error: Option<Errno>,
) -> Result<Watch<Note>> {
    let binary = outside::identity(binary)?;
    let numbers = [libc::SYS_clone3, libc::SYS_clone];
    Watch::new(command, &numbers, move |call| {
        let program = outside::proc(call.pid).path("exe");
        if outside::identity(program).ok() != Some(binary) || !is_first(call) {
            return (None, Answer::GoOn);
        }
        let blocked = mask(&outside::status(call.pid, "SigBlk"));
        let answer = match error {
            Some(errno) if call.number == libc::SYS_clone3 => {
                Answer::Refuse(errno)
            }
            _ => Answer::GoOn,
        };
        (Some(Note(blocked)), answer)
    })
}

/// Is this PID 1 of a namespace below ours?
fn is_first(call: &Call) -> bool {
    outside::status(call.pid, "NSpid").ends_with(" 1")
}

fn mask(hexadecimal: &str) -> u64 {
    u64::from_str_radix(hexadecimal.trim(), 16).unwrap_or(0)
}

/// All of 1 to 31, but for SIGKILL and SIGSTOP, which nobody can block. (Two
/// of the real-time signals are the C library's.)
pub(super) fn has_all(mask: u64) -> bool {
    let all = 0x7fff_ffff_u64 & !bit(libc::SIGKILL) & !bit(libc::SIGSTOP);
    mask & all == all
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Were they blocked when it forked?
pub(super) fn blocked(
    attempt: &mut Attempt,
    init: i32,
    notes: &[Note],
) -> Result<()> {
    let now = mask(&outside::status(init, "SigBlk"));
    // Where this kernel does not let it be seen, what is now has to do.
    let then = notes.first().map_or(now, |note| note.0);
    let what = match notes.is_empty() {
        false => "it had blocked all signals when it forked",
        true => {
            "it has blocked all signals (whether before it forked, this \
             kernel does not show)"
        }
    };
    let mistake = match has_all(now) {
        true => {
            "`run_as_init` blocks the signals after the fork: the SIGCHLD of \
             a command that ends at once is lost, and init waits for ever"
        }
        false if now == 0 => {
            "`run_as_init` does not block the signals: PID 1's shield drops \
             what has no handler and is not blocked"
        }
        false => {
            "`run_as_init` blocks some of the signals only: SigSet::all() \
             has them all"
        }
    };
    let found = format!("SigBlk {then:016x}");
    attempt.found(what, has_all(then), found, "every signal", mistake)
}

/// The signals that its signalfd reads: proc(5), /proc/PID/fdinfo.
pub(super) fn signals_read(init: i32) -> u64 {
    let files = fs::read_dir(outside::proc(init).path("fdinfo"));
    let files = files.into_iter().flatten().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let sets = texts.filter_map(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("sigmask:"))?;
        Some(mask(line))
    });
    sets.fold(0, |all, set| all | set)
}

/// Is it asleep for a while, and not for a moment between two calls?
pub(super) fn sleeps(pid: i32) -> bool {
    let mut in_a_row = 0;
    (0..2000).any(|_| {
        let state = outside::status(pid, "State");
        in_a_row = if state.starts_with('S') { in_a_row + 1 } else { 0 };
        sleep(Duration::from_millis(1));
        in_a_row == 10
    })
}

/// A filter of step08 will answer ENOSYS to clone3.
pub(super) fn older_call(attempt: &mut Attempt) -> Result<()> {
    let mut command = attempt.command(INIT, "exit 7");
    let error = Some(Errno::ENOSYS);
    let _watch = watch(&mut command, attempt.binary(), error)?;
    let report = running::run(command)?;
    attempt.ended(
        "where clone3(2) is answered with ENOSYS, the older call does it",
        &report,
        7,
        REAP,
        "`run_as_init` takes that answer for the last word: \
         `.or_else(child::fork_by_clone)` tries the older call",
    )
}
