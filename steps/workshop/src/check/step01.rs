//! step01: a hostname of its own.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::gethostname;

use super::refuse::Refused;
use super::running::Running;
use super::{Attempt, outside};

const NAME: &[&str] = &["--hostname", "Checked.1"];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    takes_a_name(attempt)?;
    let before = own_name()?;
    let Some(running) = start(attempt)? else { return Ok(()) };
    attempt.found(
        "it is in a UTS namespace of its own",
        outside::is_apart(running.pid, "uts"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWUTS: was it changed?",
    )?;
    attempt.same(
        "in there, the machine is called as --hostname says",
        outside::within(running.pid, "uts", own_name)?,
        "Checked.1",
        "`set_hostname` returns without having called sethostname(2), or \
         with another name; or `parse_hostname` has changed it",
    )?;
    attempt.same(
        "out here it is called as before",
        own_name()?,
        before,
        "the name was set outside of the namespace",
    )?;
    drop(running);
    refused(attempt)?;
    lengths(attempt)
}

/// Only `parse_hostname` is at work before the process is made, and here it is
/// not made.
fn takes_a_name(attempt: &mut Attempt) -> Result<()> {
    let no_process = [Refused {
        call: libc::SYS_clone3,
        arguments: &[],
        errno: Errno::EAGAIN,
    }];
    let report = attempt.run_refused(NAME, "true", &no_process)?;
    let otherwise = "`parse_hostname` refuses a name that is right";
    let likely = report.stopped_in("parse_hostname");
    attempt.found(
        "the command line takes a name",
        report.stderr.contains("EAGAIN"),
        report.words(),
        "the kernel's answer to clone3(2), which is made to fail here",
        &likely.unwrap_or_else(|| otherwise.into()),
    )
}

fn start(attempt: &mut Attempt) -> Result<Option<Running>> {
    let command = attempt.command(NAME, "echo begun; cat >/dev/null");
    let what = "it starts with --hostname Checked.1";
    match Running::start(command)? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            Ok(Some(running))
        }
        Err(report) => {
            let likely = report.stopped_in("set_hostname");
            let otherwise = match report.stderr.contains("EPERM") {
                true => {
                    "sethostname(2) takes root in the namespace that is \
                     renamed"
                }
                false => {
                    "`set_hostname` makes an error of success, or calls the \
                     kernel with something else than the name"
                }
            };
            let likely = likely.unwrap_or_else(|| otherwise.into());
            attempt.found(what, false, report.words(), "no error", &likely)?;
            Ok(None)
        }
    }
}

/// What becomes of an error of the kernel's.
fn refused(attempt: &mut Attempt) -> Result<()> {
    let call = libc::SYS_sethostname;
    let refused = [Refused { call, arguments: &[], errno: Errno::EPERM }];
    let report = attempt.run_refused(NAME, "echo it ran", &refused)?;
    let likely = report.stopped_in("set_hostname");
    let mut said = |what: &str, is_met: bool, mistake: &str| {
        let likely = likely.clone().unwrap_or_else(|| mistake.into());
        let expected = "EPERM, and what was attempted with which name";
        attempt.found(what, is_met, report.words(), expected, &likely)
    };
    let has = |text: &str| report.stderr.contains(text);
    said(
        "when the kernel refuses the name, the command does not run",
        report.status == Some(125) && report.stdout.is_empty(),
        "`set_hostname` drops the error of sethostname(2): a Result is to be \
         returned, or handed on with `?`",
    )?;
    said(
        "the error has the kernel's answer",
        has("EPERM") || has("not permitted"),
        "`set_hostname` puts its words in the place of the kernel's answer: \
         .with_context(…) adds them to it",
    )?;
    said(
        "and tells where it comes from",
        has("Checked.1"),
        "`set_hostname` hands on a bare EPERM: .with_context(|| format!(…)) \
         adds what was attempted, and with which name",
    )
}

/// A command line is refused with status 2, before anything is made.
fn lengths(attempt: &mut Attempt) -> Result<()> {
    let (longest, longer) = ("a".repeat(64), "a".repeat(65));
    let wide = "ü".repeat(33);
    let widest = "ü".repeat(32);
    let bytes = "`parse_hostname` counts letters: `chars().count()` says 33, \
                 but the kernel counts bytes, and so does `len`";
    for (what, name, status, mistake) in [
        (
            "64 bytes are allowed",
            &*longest,
            0,
            "`parse_hostname` has a range that ends before LONGEST: \
             `1..=LONGEST` takes it in",
        ),
        (
            "one is allowed",
            "a",
            0,
            "`parse_hostname` has a range that begins after 1",
        ),
        (
            "65 bytes are refused on the command line",
            &longer,
            2,
            "`parse_hostname` lets pass what is longer than LONGEST, and \
             then the kernel refuses it: EINVAL",
        ),
        ("33 letters of two bytes are refused as well", &wide, 2, bytes),
        (
            "and 32 are not",
            &widest,
            0,
            "`parse_hostname` counts something else than bytes: `len`",
        ),
        (
            "no letter at all is refused",
            "",
            2,
            "`parse_hostname` lets an empty name pass: the kernel would take \
             it, and nobody could see it",
        ),
    ] {
        let report = attempt.run(&["--hostname", name], "true")?;
        let is_met = report.status == Some(status);
        let likely = report.stopped_in("parse_hostname");
        let likely = likely.unwrap_or_else(|| mistake.into());
        let expected = format!("status {status}");
        attempt.found(what, is_met, report.words(), expected, &likely)?;
    }
    Ok(())
}

fn own_name() -> Result<String> {
    let name = gethostname().context("ask for the hostname")?;
    Ok(name.to_string_lossy().into_owned())
}
