//! `fork` by itself.

use std::process::Command;

use anyhow::Result;

use super::question::{Cause, Question};
use crate::check::calls::{Answer, Watch};
use crate::check::{Attempt, running};

/// Asks it all there is to be asked.
pub(super) fn look(attempt: &mut Attempt) -> Result<()> {
    more_flags(attempt)?;
    FORK.iter().try_for_each(|question| question.ask(attempt))
}

/// Does it ask for more than its caller and a descriptor? The flags are the
/// first field of the struct, and in their low byte was a signal, once.
fn more_flags(attempt: &mut Attempt) -> Result<()> {
    let mut command = Command::new(attempt.binary());
    command.env("WORKSHOP_PROBE", "fork");
    let watch = Watch::new(&mut command, &[libc::SYS_clone3], |call| {
        (call.pointed_to(0), Answer::GoOn)
    })?;
    running::run(command)?;
    let known = libc::CLONE_PIDFD as u64 | 0xff;
    let more = watch.notes().first().map_or(0, |flags| flags & !known);
    if more == 0 {
        return Ok(());
    }
    attempt.same(
        "`fork` asks for what its caller wants, and for a descriptor",
        format!("{more:#x} more (sched.h)"),
        "CLONE_PIDFD alone, where the caller wants nothing",
        "`fork` has more in args.flags than the caller's `flags` and \
         CLONE_PIDFD: then the two share what they should not, or wait for \
         each other",
    )
}

const FORK_HANGS: &str = "`fork` waits for something, or goes round in \
                          circles: clone3(2) is called once";
const NO_PIDFD: &str = "`fork` has not asked for a descriptor: CLONE_PIDFD \
                        is missing in its flags, or the kernel was not told \
                        where to write it";
const FORK_AGAIN: Cause = (
    &["overflowed its stack"],
    "`fork` calls itself, again and again: the call is `libc::syscall`",
);
const FORK_TODO: Cause = (
    &["not yet implemented"],
    "`fork` has a todo!() left, at the line that is named",
);
const FORK_PANICS: Cause = (
    &["panicked at"],
    "`fork` panics, at the line that is named: what the kernel refuses is an \
     error, to be returned",
);
const FORK: &[Question] = &[
    Question {
        name: "fork",
        what: "`fork` makes a child, and each of the two knows which it is",
        answer: "a child, which its parent knows",
        others: &[
            (
                "the old process is told None",
                "`fork` returns None in the old process: 0 is the answer in \
                 the new one, the number of the child that in the old one",
            ),
            (
                "the new process is not told None",
                "`fork` must return None in the new process, in which \
                 clone3(2) answers 0",
            ),
            (
                "SIGCHLD",
                "`fork` leaves exit_signal 0, or has another signal there: \
                 a child that ends before execve(2) is then not one that \
                 waitid(2) finds. It wants SIGCHLD",
            ),
            (
                "the number",
                "`fork` returns another number than clone3(2) has answered",
            ),
            (
                "the descriptor",
                "`fork` returns another descriptor than the one that the \
                 kernel has written to `pidfd`",
            ),
            (
                "EFAULT",
                "`fork` has given the kernel an address at which it cannot \
                 write: args.pidfd is the address of `pidfd`, `&raw mut`",
            ),
            (
                "E2BIG",
                "`fork` has told clone3(2) a size that is too large: it is \
                 that of `args` in bytes, size_of_val(&args)",
            ),
            (
                "EINVAL",
                "`fork` has told clone3(2) something that it does not know: a \
                 size that is too small (size_of_val(&args)), a signal among \
                 the flags (SIGCHLD belongs into exit_signal), or it has \
                 called another number than SYS_clone3",
            ),
            (
                "ENOSYS",
                "`fork` has called another number than SYS_clone3, or this \
                 kernel is older than Linux 5.5",
            ),
            ("", "`fork` is refused by the kernel, with this answer"),
        ],
        causes: &[
            FORK_AGAIN,
            FORK_TODO,
            (&["panicked", "fd != -1"], NO_PIDFD),
            (&["panicked", "-1"], NO_PIDFD),
            FORK_PANICS,
        ],
        hangs: FORK_HANGS,
    },
    Question {
        name: "flags",
        what: "the blindfolds that its caller wants are put on",
        answer: "apart",
        others: &[(
            "",
            "`fork` leaves out its argument `flags`: the rungs above would \
             change the machine itself",
        )],
        causes: &[FORK_AGAIN, FORK_TODO, FORK_PANICS],
        hangs: FORK_HANGS,
    },
    Question {
        name: "refusal",
        what: "what the kernel refuses is an error, with its answer",
        answer: "EINVAL: Invalid argument",
        others: &[(
            "",
            "`fork` takes -1 for something else than an error, or returns \
             another error than the kernel's: Errno::last()",
        )],
        causes: &[
            FORK_TODO,
            (
                &["panicked", "-1"],
                "`fork` takes -1 for the number of a process: it is \
             an error, Err(Errno::last())",
            ),
            FORK_PANICS,
        ],
        hangs: FORK_HANGS,
    },
    Question {
        name: "cgroup",
        what: "the flag that was there for the cgroup stays",
        answer: "EBADF: Bad file number",
        others: &[
            (
                "a process is made",
                "`fork` has overwritten CLONE_INTO_CGROUP: add to args.flags \
                 with `|=`, where `=` forgets what was there",
            ),
            ("", "`fork` does not hand on the kernel's error"),
        ],
        causes: &[
            FORK_TODO,
            (
                &["panicked", "-1"],
                "`fork` takes -1 for the number of a process: it is an error",
            ),
            FORK_PANICS,
        ],
        hangs: FORK_HANGS,
    },
];
