//! What becomes of the kernel's answers shows where they are errors.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use step08::arch;

use super::container::{Container, Place};
use super::place::Bundle;
use super::start::start;
use crate::check::calls::{Answer, Call, Watch};
use crate::check::refuse::{Refused, refuse};
use crate::check::report::Report;
use crate::check::{Attempt, outside, running};

/// The type and the mode of what `make` makes.
const FIFO: u32 = libc::S_IFIFO | 0o600;

/// Looks at `look`, with something in the gate's place that cannot be opened:
/// a link to itself (ELOOP).
pub fn look(attempt: &mut Attempt, container: &Container<'_>) -> Result<()> {
    let (gate, kept) =
        (container.gate(), container.gate().with_extension("kept"));
    fs::rename(&gate, &kept).context("put the gate aside")?;
    symlink("gate", &gate).context("make a link")?;
    let command = container.bundle.command(&["state", &container.id]);
    let report = running::run(command)?;
    fs::remove_file(&gate).context("remove the link")?;
    fs::rename(&kept, &gate).context("put the gate back")?;
    fails(
        attempt,
        "where the kernel does not let it look, state says no word",
        &report,
        "`look` takes any error for \"nobody\": only ENXIO and ENOENT mean \
         that",
    )
}

/// Looks at `make`, where no FIFO can be made.
pub fn of_make(attempt: &mut Attempt, bundle: &Bundle) -> Result<()> {
    let errno = Errno::ENOSPC;
    let call = libc::SYS_mknodat;
    let refused = [Refused { call, arguments: &[(2, FIFO)], errno }];
    let report = bundle.create("fifth", &refused)?;
    fails(
        attempt,
        "where no FIFO can be made, create fails",
        &report,
        "`make` takes no notice of an error of mkfifoat",
    )?;
    attempt.found(
        "and leaves nothing",
        !bundle.folder(&bundle.name("fifth")).exists(),
        "a folder",
        "nothing",
        "`make` must return the error",
    )
}

/// Looks at `wait`, where nothing can be read from the gate.
pub fn of_wait(attempt: &mut Attempt, bundle: &Bundle) -> Result<()> {
    let mut command = bundle.create_command("sixth");
    let answer = |call: &Call| {
        let fd = format!("fd/{}", call.arguments[0]);
        let file = fs::read_link(outside::proc(call.pid).path(&fd));
        match file.is_ok_and(|file| file.ends_with("gate")) {
            true => (Some(()), Answer::Refuse(Errno::EIO)),
            false => (None, Answer::GoOn),
        }
    };
    let watch = Watch::new(&mut command, &[libc::SYS_read], answer)?;
    let report = running::run(command)?;
    ensure!(report.status == Some(0), "create: {}", report.words());
    let container = Container::find(bundle, "sixth")?;
    let is_gone = container.comes_to(Place::Gone);
    // A kernel without such filters lets it wait.
    let is_refused = !watch.notes().is_empty();
    let words = container.words();
    drop(watch);
    attempt.found(
        "where it cannot read, the process goes no further",
        is_gone || !is_refused,
        words,
        "it ends",
        "`wait` takes no notice of an error: a container would run that \
         nobody has started",
    )
}

/// Looks at `open`, where nothing can be written, where poll(2) fails, and
/// where it is interrupted.
pub fn of_open(attempt: &mut Attempt, bundle: &Bundle) -> Result<()> {
    let container = waiting(bundle, "seventh")?;
    let (call, errno) = (libc::SYS_write, Errno::EIO);
    let mut command = start(&container);
    refuse(&mut command, &[Refused { call, arguments: &[(2, 1)], errno }]);
    let what = "where nothing can be written, start fails";
    let mistake = "`open` takes no notice of an error of write(2), and waits \
                   for a process that has got no byte";
    let report = running::run(command)?;
    match report.status {
        None => {
            attempt.found(what, false, report.words(), "an error", mistake)
        }
        Some(_) => fails(attempt, what, &report, mistake),
    }?;
    drop(container);
    let container = waiting(bundle, "eighth")?;
    fails(
        attempt,
        "where poll(2) fails, start fails",
        &polled(&container, Errno::ENOMEM, usize::MAX)?,
        "`open` takes no notice of an error of poll(2)",
    )?;
    drop(container);
    let container = waiting(bundle, "ninth")?;
    attempt.ended(
        "where a signal interrupts poll(2), it waits on",
        &polled(&container, Errno::EINTR, 1)?,
        0,
        &[],
        "`open` must call poll(2) once more when it answers EINTR",
    )
}

/// `start`, where poll(2) answers so, so many times. What waits for something
/// to be read is another poll(2), of the rung's own; and Rust's library begins
/// with one of three descriptors.
fn polled(
    container: &Container<'_>,
    errno: Errno,
    times: usize,
) -> Result<Report> {
    let mut command = start(container);
    let mut left = times;
    let answer = move |call: &Call| {
        let polled = call.pointed_to(0).unwrap_or_default();
        let events = (polled >> 32) as i16;
        let is_other = events & libc::POLLIN != 0 || call.arguments[1] != 1;
        if is_other || left == 0 {
            return (None, Answer::GoOn);
        }
        left -= 1;
        (Some(()), Answer::Refuse(errno))
    };
    // The C library takes either.
    let names = ["poll", "ppoll", "ppoll_time64"];
    let numbers = names.into_iter().filter_map(arch::number);
    let numbers: Vec<_> = numbers.map(|it| it as libc::c_long).collect();
    let watch = Watch::new(&mut command, &numbers, answer)?;
    let report = running::run(command);
    drop(watch);
    report
}

fn waiting<'a>(bundle: &'a Bundle, id: &str) -> Result<Container<'a>> {
    bundle.create(id, &[])?;
    let container = Container::find(bundle, id)?;
    container.comes_to(Place::Waiting);
    Ok(container)
}

fn fails(
    attempt: &mut Attempt,
    what: &str,
    report: &Report,
    mistake: &str,
) -> Result<()> {
    let words = report.words();
    let is_met =
        report.status.is_some_and(|it| it != 0) && !words.contains("panicked");
    // Which function it is, the mistake says first.
    let function = mistake.split('`').nth(1).unwrap_or_default();
    let likely = report.stopped_in(function);
    let likely = likely.unwrap_or_else(|| report.likely(&[], mistake));
    attempt.found(what, is_met, words, "an error", &likely)
}
