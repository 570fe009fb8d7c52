//! `wait` by itself.

use anyhow::Result;

use super::question::Question;
use crate::check::{Attempt, Causes};

/// Asks it all there is to be asked.
pub(super) fn look(attempt: &mut Attempt) -> Result<()> {
    WAIT.iter().try_for_each(|question| question.ask(attempt))
}

const WAIT_CAUSES: &Causes = &[
    (
        &["overflowed its stack"],
        "`wait` calls itself, again and again: `reap` is what asks the kernel",
    ),
    (
        &["not yet implemented"],
        "`wait` has a todo!() left, at the line that is named",
    ),
    (
        &["panicked at"],
        "`wait` panics, at the line that is named: an error is to be returned",
    ),
];

const EARLY: &str = "`wait` has not waited for the child: reap(P_PIDFD, its \
                     descriptor, 0) does, as long as it is no end";

const WAIT: &[Question] = &[
    Question {
        name: "wait",
        what: "`wait` returns how a child has ended",
        answer: "status 7",
        others: &[
            (
                "status 7",
                "`wait` leaves the dead process to be waited for again: no \
                 flags (WNOWAIT)",
            ),
            (
                "EBADF",
                "`wait` asks for P_PIDFD with a number that is no descriptor: \
                 the id is process.pidfd.as_raw_fd()",
            ),
            (
                "ECHILD: No child processes, and",
                "`wait` asks for another process than its child: the kind \
                 P_PIDFD goes with the descriptor as the id",
            ),
            (
                "ECHILD",
                "`wait` asks again though it has been told the end, which is \
                 told once: return it",
            ),
            (
                "EINVAL",
                "`wait` asks with a kind or flags that waitid(2) does not \
                 know: P_PIDFD, and 0",
            ),
            ("still there", EARLY),
            ("", "`wait` does not return the ending that `reap` gave it"),
        ],
        causes: WAIT_CAUSES,
        hangs: "`wait` asks again though it has been told the end: return it",
    },
    Question {
        name: "whose",
        what: "it asks by the descriptor, and not by the number",
        answer: "status 4",
        others: &[
            (
                "status 3",
                "`wait` asks for a number, or for any child (P_PID, P_ALL). \
                 A number may mean another process by now: P_PIDFD",
            ),
            ("", EARLY),
        ],
        causes: WAIT_CAUSES,
        hangs: "`wait` asks for another process than the descriptor's",
    },
    Question {
        name: "interrupted",
        what: "a signal that comes first is not taken for the end",
        answer: "status 7",
        others: &[
            (
                "EINTR",
                "`wait` takes EINTR for the end: a signal came first, that \
                 is all; ask again",
            ),
            (
                "status 9",
                "`wait` goes round in circles instead of sleeping: without \
                 WNOHANG, waitid(2) sleeps until there is an end",
            ),
            ("", EARLY),
        ],
        causes: WAIT_CAUSES,
        hangs: "`wait` does not come back after a signal",
    },
    Question {
        name: "once",
        what: "an error is no end: it is returned, and names the process",
        answer: "ECHILD, with the process's number",
        others: &[
            (
                "no error",
                "`wait` makes an end of an error, or leaves the dead process \
                 to be waited for again (WNOWAIT)",
            ),
            (
                "ECHILD",
                "`wait` returns the bare error: .context(…) says what was \
                 attempted, and on which process (its number)",
            ),
            ("", "`wait` returns another error than the kernel's, ECHILD"),
        ],
        causes: WAIT_CAUSES,
        hangs: "`wait` asks again after any error: only EINTR means that",
    },
];
