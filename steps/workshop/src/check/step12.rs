//! step12: the two halves of a start.
//!
//! First the inner side of the gate, with our own hand on the outer one: a
//! process that waits as it should tells what is wrong with the other side.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use anyhow::Result;
use nix::sys::signal::Signal::SIGKILL;

use super::report::Report;
use super::{Attempt, Causes};

mod container;
mod errors;
mod place;
mod start;

pub use container::{Container, Place};
pub use place::{Bundle, remove_groups};

/// What the new process has said, and the mistake behind it.
const WORDS: &Causes = &[
    (
        &["failed to fill"],
        "`make` has opened what ends at once: it must be a FIFO, and open for \
         reading and for writing (O_RDWR), or a reader sees the end of it \
         when the last writer has left",
    ),
    (
        &["temporarily unavailable"],
        "`make` has opened it with O_NONBLOCK: then reading does not wait",
    ),
    (&["file descriptor"], "`make` must open it for reading as well: O_RDWR"),
];

const MAKE_HANGS: &str = "`make` waits for ever, or goes round in circles: \
                          a FIFO that is opened for reading alone, or for \
                          writing alone, waits for somebody at the other end";

const WAIT_SPINS: &str = "`wait` goes round in circles: who reads from an \
                          empty pipe waits, and that takes no time of the CPU";
const WAIT_PANICS: &str = "`wait` has ended its process: by a panic? What \
                           the kernel refuses is an error, to be returned";

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let bundle = Bundle::new(attempt)?;
    let first = created(attempt, &bundle, "first")?;
    gate(attempt, &first)?;
    inner_side(attempt, &first)?;
    drop(first);
    let second = created(attempt, &bundle, "second")?;
    start::state_is(
        attempt,
        &second,
        "created",
        "`look` has found nobody at the gate: O_WRONLY and O_NONBLOCK, and \
         NAME in `folder`; somebody waits where openat(2) succeeds",
    )?;
    waits(
        attempt,
        &second,
        "and its process still waits after that",
        "`look` has let it go on: it is to open the gate, and no more",
    )?;
    errors::look(attempt, &second)?;
    second.put_byte()?;
    second.comes_to(Place::Through);
    second.lets_go();
    start::running(attempt, &second)?;
    drop(second);
    let third = created(attempt, &bundle, "third")?;
    start::look(attempt, &third)?;
    drop(third);
    let fourth = created(attempt, &bundle, "fourth")?;
    start::killed(attempt, &fourth)?;
    drop(fourth);
    errors::of_make(attempt, &bundle)?;
    errors::of_wait(attempt, &bundle)?;
    errors::of_open(attempt, &bundle)
}

/// `create`, which is to end while its process waits.
fn created<'a>(
    attempt: &mut Attempt,
    bundle: &'a Bundle,
    id: &str,
) -> Result<Container<'a>> {
    let report = bundle.create(id, &[])?;
    let what = format!("create makes the {id} container, and ends");
    let mistake = match report.status {
        None => MAKE_HANGS,
        _ => {
            "`make` returns an error: see above for the kernel's answer, and \
              fifo(7)"
        }
    };
    ended(attempt, &what, &report, "make", WORDS, mistake)?;
    Container::find(bundle, id)
}

/// What it has made in the folder of the container.
fn gate(attempt: &mut Attempt, container: &Container<'_>) -> Result<()> {
    let found = fs::symlink_metadata(container.gate());
    let kind = found.as_ref().map(|it| match it.file_type().is_fifo() {
        true => "a FIFO",
        false => "another kind of file",
    });
    attempt.same(
        "there is a FIFO in its folder, with the name `gate`",
        kind.unwrap_or("nothing of that name"),
        "a FIFO",
        "`make` must make it with mkfifoat, with NAME in `folder`",
    )?;
    let mode = found.map_or(0, |it| it.permissions().mode() & 0o7777);
    attempt.same(
        "its owner may read and write it, and nobody else",
        format!("{mode:04o}"),
        "0600",
        "`make` must give mkfifoat the mode S_IRUSR | S_IWUSR",
    )
}

/// The process, as long as nobody has opened the gate, and then.
fn inner_side(attempt: &mut Attempt, container: &Container<'_>) -> Result<()> {
    waits(
        attempt,
        container,
        "the process waits, and has executed nothing",
        "`wait` has not waited: it must read a byte from `gate`, and return \
         an error where there is one",
    )?;
    let flags = container.gate_flags();
    let of = |flag: i32| flags.is_some_and(|flags| flags & flag != 0);
    attempt.found(
        "it has the gate open for reading and for writing",
        flags.is_some_and(|it| it & libc::O_ACCMODE == libc::O_RDWR),
        "it has not",
        "O_RDWR",
        "`make` must return the FIFO, opened with O_RDWR",
    )?;
    attempt.found(
        "the kernel will close the gate when it executes its program",
        of(libc::O_CLOEXEC),
        "its program would have it open, too",
        "O_CLOEXEC",
        "`make` must open it with O_CLOEXEC: the end of the wait is the \
         moment at which nobody has it open any more",
    )?;
    drop(container.take_outer_side()?);
    waits(
        attempt,
        container,
        "it still waits when somebody has only looked",
        "`wait` must wait for a byte, and not for somebody who opens the \
         gate: `state` opens it just to look",
    )?;
    container.put_byte()?;
    attempt.found(
        "it goes on when there is a byte",
        container.comes_to(Place::Through),
        container.words(),
        "its program is executed",
        "`wait` must be content with one byte, and then return",
    )?;
    container.signal(SIGKILL)
}

/// Does it stand at the gate? If not, what it has said tells more.
fn waits(
    attempt: &mut Attempt,
    container: &Container<'_>,
    what: &str,
    mistake: &str,
) -> Result<()> {
    let waits = container.comes_to(Place::Waiting);
    let report = container.last_words();
    let said = &report.stderr;
    let has_panicked = said.is_empty() || said.contains("stopped by a bug");
    let mistake = match container.place() {
        Place::OnItsWay => WAIT_SPINS,
        Place::Gone if has_panicked => WAIT_PANICS,
        _ => mistake,
    };
    let likely = report.likely(WORDS, mistake);
    attempt.found(what, waits, container.words(), "it waits", &likely)
}

/// Has a command ended well, that calls this function of the learner's?
fn ended(
    attempt: &mut Attempt,
    what: &str,
    report: &Report,
    function: &str,
    causes: &Causes,
    mistake: &str,
) -> Result<()> {
    let stopped = report.stopped_in(function);
    // For a hang the mistake tells more.
    let stopped = stopped.filter(|_| report.status.is_some());
    let likely = stopped.unwrap_or_else(|| report.likely(causes, mistake));
    let is_met = report.status == Some(0);
    attempt.found(what, is_met, report.words(), "status 0", &likely)
}
