//! step05: a network of its own.

mod blame;
mod causes;
mod heard;
mod inside;

use anyhow::Result;

use heard::{Link, Listener};

use super::report::Report;
use super::running::Running;
use super::{Attempt, outside};

/// It says that it has begun, and waits.
const WAIT: &str = "echo begun\ncat >/dev/null";

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let alone = ["--network", "none"];
    let what = "it starts with --network none";
    match Running::start(attempt.command(&alone, WAIT))? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            apart(attempt, &running)?;
        }
        Err(report) => {
            let likely = match report.unwritten() {
                Some(_) => report.likely(&[], ""),
                None => blame::without(&report, brings_up(attempt, &report)?),
            };
            let found = report.words();
            return attempt.found(what, false, found, "no error", &likely);
        }
    }
    let listener = Listener::new()?;
    let what = "it starts, and executes its command";
    match Running::start(attempt.command(&[], WAIT))? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            outer_end(attempt, &listener.links())?;
            inside::cable(attempt, &running)
        }
        Err(report) => {
            let likely = blame::with_cable(&report, &listener.links());
            attempt.found(what, false, report.words(), "no error", &likely)
        }
    }
}

/// Does `bring_up` work out here, on the end of a cable? What is wrong inside
/// is then not in there. A hang is not tried again.
fn brings_up(attempt: &Attempt, report: &Report) -> Result<Option<bool>> {
    if report.status.is_none() {
        return Ok(None);
    }
    let listener = Listener::new()?;
    attempt.run(&[], "true")?;
    Ok(blame::is_brought_up(&listener.links()))
}

/// Part 1.
fn apart(attempt: &mut Attempt, running: &Running) -> Result<()> {
    attempt.found(
        "it is in a network namespace of its own",
        outside::is_apart(running.pid, "net"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWNET: was it changed?",
    )?;
    let inside = outside::within(running.pid, "net", inside::interfaces)?;
    let is_on = inside.iter().any(|one| one.name == "lo" && one.is_on);
    let likely = match is_on {
        true => "",
        false => loopback_is_off(attempt)?,
    };
    attempt.found(
        "its loopback is on",
        is_on,
        "lo is off, and there was no error",
        "lo is on",
        likely,
    )
}

/// Which of the two functions has done nothing?
fn loopback_is_off(attempt: &Attempt) -> Result<&'static str> {
    let listener = Listener::new()?;
    attempt.run(&[], "true")?;
    Ok(match blame::is_brought_up(&listener.links()) {
        Some(true) => {
            "`bring_up_loopback` must switch lo on, by `bring_up` on a socket \
             of SockProtocol::NetlinkRoute: it is born off, and then not even \
             127.0.0.1 answers"
        }
        _ => {
            "`bring_up` changes nothing: the flag is IFF_UP, `link(index, \
             flags)` the body, and the request must be sent, and its error \
             returned. (Or `bring_up_loopback` does not call it)"
        }
    })
}

/// The machine's end, whose address and switching on were given.
fn outer_end(attempt: &mut Attempt, links: &[Link]) -> Result<()> {
    let likely = blame::cable(&blame::fine(), links);
    let mut names = links.iter().map(|link| {
        let state = if link.is_on { "on" } else { "off" };
        let address = link.address.map(|address| format!(" {address}"));
        format!("{}, {state}{}", link.name, address.unwrap_or_default())
    });
    attempt.found(
        "out here came one end of a cable, with an address, and it is on",
        likely.is_none(),
        names.by_ref().collect::<Vec<_>>().join("; "),
        "a veth, on, with the first address of the cable",
        &likely.unwrap_or_default(),
    )
}
