//! The last duty of an init: to let the others say goodbye.

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes};

/// All of step02.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("goodbye", goodbye)];

const CAUSES: &Causes = &[];

/// Starts an orphan that does `trap` on SIGTERM, and ends when that is ready.
fn orphan(trap: &str) -> String {
    format!(
        "( ( trap '{trap}' TERM; echo ready; exec >/dev/null
             while :; do sleep 0.02; done ) & ) | {{ read -r line; exit 7; }}"
    )
}

fn goodbye(attempt: &mut Attempt) -> Result<()> {
    let flags = ["--init"];
    let report = attempt.run(&flags, &orphan("echo goodbye >&2; exit"))?;
    attempt.ended(
        "the command's status is the end of it all, as before",
        &report,
        7,
        CAUSES,
        "what becomes of the others must not change that",
    )?;
    attempt.found(
        "a process that is left gets SIGTERM before the end",
        report.stderr.contains("goodbye"),
        report.words(),
        "the word that it says when it gets SIGTERM",
        "init ends at once, and the kernel kills whoever is left: kill(2) \
         with -1 comes before that, and then init waits for them",
    )?;
    let report = attempt.run(&flags, &orphan(":"))?;
    attempt.ended(
        "one that takes no notice of it is not waited for without end",
        &report,
        7,
        CAUSES,
        "a second is enough: poll(2) with a time limit, on the signals",
    )?;
    let report = attempt.run(&flags, "exit 7")?;
    let what = "where nobody is left it ends as before";
    let mistake = "ECHILD from waitpid(2): there is nobody to wait for";
    attempt.ended(what, &report, 7, CAUSES, mistake)
}
