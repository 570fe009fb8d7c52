//! `become_user` by itself, and what is done with the kernel's errors.

use std::process::Command;

use anyhow::Result;
use libc::{SYS_prctl, c_long};
use nix::errno::Errno;
use step08::arch;

use super::FLAGS;
use crate::check::refuse::{Refused, refuse};
use crate::check::report::Report;
use crate::check::{Attempt, Causes, running};

const ANSWER: &str = "user 5 5 5 5, group 6 6 6 6, beside 7 8";

/// Without a user namespace: the launcher itself takes the numbers.
const CAUSES: &Causes = &[
    (&["overflowed its stack"], "`become_user` calls itself, without an end"),
    (
        &["groups", "EPERM"],
        "`become_user` gives up the groups too late: a process that is not \
         root any more may not. setgroups(2), then the group, then the user",
    ),
    (
        &["EPERM"],
        "`become_user` has given up the user first, and with it the right to \
         change the group: setgroups(2), then the group, then the user",
    ),
];

/// step06, asked what step06/src/probe.rs answers.
fn question(attempt: &Attempt) -> Command {
    let mut command = Command::new(attempt.binary());
    command.env("WORKSHOP_PROBE", "become_user");
    command.args(["-q", "--network", "none", "--", "true"]);
    command
}

/// What becomes of the numbers 5 and 6, and of two groups beside?
pub(super) fn look(attempt: &mut Attempt) -> Result<()> {
    let report = running::run(question(attempt))?;
    let found = report.stdout.trim_end();
    let part = |start| found.split(", ").find(|part| part.starts_with(start));
    let mistake = match (part("user "), part("group "), part("beside")) {
        (_, _, None) => {
            "`become_user`: what the program said is above; setgroups(2), \
             setresgid(2) and setresuid(2) take what it was told"
        }
        (_, _, Some("beside 0 4")) => {
            "`become_user` keeps the launcher's groups: setgroups(2) with \
             `groups`, unless /proc/self/setgroups says \"deny\""
        }
        (_, _, Some(beside)) if beside != "beside 7 8" => {
            "`become_user` keeps other groups than it was told: all of \
             `groups`, and no others"
        }
        (_, Some(group), _) if group != "group 6 6 6 6" => {
            "`become_user` must become the group that it was told, `gid`, in \
             all three kinds of it: setresgid(2), and return its error"
        }
        _ => {
            "`become_user` must become the user that it was told, `uid`, in \
             all three kinds of it: setresuid(2), and return its error"
        }
    };
    attempt.printed(
        "`become_user` by itself becomes user 5 of group 6, with 7 and 8 \
         beside",
        &report,
        ANSWER,
        CAUSES,
        mistake,
    )
}

/// An error of the kernel's must stop it: a container that is still root, or
/// still in a group of the launcher's, is worse than none.
pub(super) fn errors(attempt: &mut Attempt) -> Result<()> {
    let users = numbers(USERS);
    for (call, calls) in [
        ("setgroups(2)", numbers(&["setgroups"])),
        ("setresgid(2)", numbers(&["setresgid", "setregid", "setgid"])),
        ("setresuid(2)", users.clone()),
    ] {
        let mut command = question(attempt);
        refuse(&mut command, &refused(&calls));
        let report = running::run(command)?;
        attempt.found(
            &format!("`become_user` returns the error of {call}"),
            says_so(&report),
            told(&report),
            "the kernel's answer, which was EIO",
            &format!("`become_user` must return the error of {call}: `?`"),
        )?;
    }
    let report = attempt.run_refused(FLAGS, "true", &refused(&users))?;
    attempt.found(
        "it stops when it cannot become root",
        says_so(&report),
        told(&report),
        "the kernel's answer, which was EIO",
        "`become_root` must return the error of `become_user`: `?`",
    )?;
    dumpable(attempt)
}

/// The calls that change the user.
const USERS: &[&str] = &["setresuid", "setreuid", "setuid"];

/// These, and on i386 those for numbers of 32 bits, which a program makes.
fn numbers(names: &[&str]) -> Vec<c_long> {
    let wide = names.iter().map(|name| format!("{name}32"));
    let all = wide.chain(names.iter().map(|&name| name.into()));
    let number = |name: String| Some(arch::number(&name)? as c_long);
    all.filter_map(number).collect()
}

/// These calls, each of which is answered with EIO.
fn refused(calls: &[c_long]) -> Vec<Refused<'_>> {
    let refused = |&call| Refused { call, arguments: &[], errno: Errno::EIO };
    calls.iter().map(refused).collect()
}

fn says_so(report: &Report) -> bool {
    let answers = ["EIO", "Input/output error"];
    answers.iter().any(|answer| report.stderr.contains(answer))
}

/// What it has printed, on stdout too.
fn told(report: &Report) -> String {
    format!("{}{}", report.stdout, report.words())
}

/// PR_SET_DUMPABLE with 1: prctl(2).
fn dumpable(attempt: &mut Attempt) -> Result<()> {
    let on = Refused {
        call: SYS_prctl,
        arguments: &[(0, libc::PR_SET_DUMPABLE as u32), (1, 1)],
        errno: Errno::EDOM,
    };
    attempt.stops_when(
        "it is made dumpable again, and stops when it cannot be",
        FLAGS,
        &[on],
        "`become_root` must switch it on again, and return the error: \
         `prctl::set_dumpable(true)`",
    )?;
    // Of two calls that are refused, the first is the one that is told.
    let users = numbers(USERS);
    let mut both = refused(&users);
    both.push(on);
    let report = attempt.run_refused(FLAGS, "true", &both)?;
    attempt.found(
        "and that after it has become another user",
        !report.stderr.contains("EDOM"),
        report.words(),
        "PR_SET_DUMPABLE after setresuid(2)",
        "`become_root`: the change of user switches it off, so what switches \
         it on comes after `become_user`",
    )
}
