//! The launcher's side of the stage, from the first opening of the gate until
//! the command runs.

use anyhow::{Context, Result, bail};
use nix::sys::signalfd::SignalFd;

use super::gate::{Gate, Message};
use super::hooks::{HandedOver, Hooks};
use super::relay::Relay;
use super::streams::Streams;
use super::terminal::{Borrowed, TERMINAL};
use crate::child::{Ending, Process};
use crate::narrator::Subject;
use crate::process;

/// Waits until the process is ready, and lets it go on to execve(2). `tell`
/// looks at it in between, and `hooks` say what is to be carried from then
/// on.
///
/// # Errors
/// Those of `tell`, of the hooks and of the process; and when it has ended too
/// early, or an interrupt has ended the wait.
pub(super) fn accompany(
    gate: &Gate,
    process: &Process,
    signals: &SignalFd,
    borrowed: Option<Borrowed>,
    hooks: &Hooks<'_>,
    tell: impl FnOnce(&Subject) -> Result<()>,
) -> Result<((Option<Relay>, Streams), HandedOver)> {
    let (subject, mut handed_over) =
        wait_until_ready(gate, process, signals, hooks)?;
    tell(&subject)?;
    let mut relay = match borrowed {
        Some(real) => {
            let master = handed_over.remove(TERMINAL);
            let master = master.context("get its terminal")?;
            Some(Relay::new(real.make_raw(master)?))
        }
        None => None,
    };
    let streams = (hooks.streams)(&mut handed_over)?;
    gate.open()?;
    // The gate is closed by a successful execve(2), or by the death of the
    // process. Signals are for the command from here on: until now they were
    // blocked.
    let executed = loop {
        match gate.receive_or_error() {
            Ok(Message::Closed) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    if let (Err(_), Some(relay)) = (&executed, &mut relay) {
        // What it has said is still on its way through its terminal, as the
        // words of a panic. With the last process that has the terminal open,
        // reading comes to an end.
        process.kill();
        while relay.show() {}
    }
    executed.map(|()| ((relay, streams), handed_over))
}

fn wait_until_ready(
    gate: &Gate,
    process: &Process,
    signals: &SignalFd,
    hooks: &Hooks<'_>,
) -> Result<(Subject, HandedOver)> {
    let mut subject = Subject::new(process.pid);
    let mut handed_over = HandedOver::new();
    loop {
        match gate.receive_unless_interrupted(signals)? {
            Message::Ready => return Ok((subject, handed_over)),
            Message::Asks => {
                hooks.asked.map_or(Ok(()), |answer| answer(process))?;
                gate.open()?;
            }
            Message::Fact(name, value) => {
                subject.facts.insert(name, value);
            }
            Message::Descriptor(name, descriptor) => {
                handed_over.insert(name, descriptor);
            }
            Message::Closed => bail!("{}", died_early(process)),
            other => bail!("receive {other:?} too early"),
        }
    }
}

/// Says how the process ended, if it did so before it was ready.
fn died_early(process: &Process) -> String {
    match process::wait(process) {
        Ok(Ending::Killed(libc::SIGKILL)) => {
            "the process was killed while it was set up; its memory limit \
             may be too small for that"
                .into()
        }
        Ok(ending) => format!("the process ended too early: {ending:?}"),
        Err(error) => format!("{error:#}"),
    }
}
