//! What the kernel answers, and the mistake behind it.

use crate::check::Causes;

const WRONG_CALL: &str = "`open` makes a call that the kernel does not take: pidfd_open(2) has the \
     number SYS_pidfd_open, and its arguments are the pid and the flags, 0";
const WRONG_HOLD: &str = "`open` returns a Process that does not fit together: its `pidfd` is the \
     descriptor that pidfd_open(2) has returned, still open, and its `pid` \
     the number that was asked for";

/// The first that fits is it.
pub const CAUSES: &Causes = &[
    (
        &["does not run"],
        "`open` takes the process for another one, or for one that is gone: \
         what is to be equal is step07::start_time(pid) and Some(start)",
    ),
    (&["see if ", "Bad file descriptor"], WRONG_HOLD),
    (&["see if "], WRONG_CALL),
    (&["take hold of"], WRONG_CALL),
    (&["find a process to enter by"], WRONG_HOLD),
    (&["join the PID namespace"], WRONG_HOLD),
    (&["owned file descriptor"], WRONG_HOLD),
    (
        &["overflowed its stack"],
        "one of the functions calls itself, and never ends: cargo has warned \
         of that, above",
    ),
    (
        &["Bad file descriptor"],
        "`join` has given setns(2) no descriptor of the process: it is in \
         target.pidfd",
    ),
    (
        &["Invalid argument"],
        "`join` must give setns(2) the pidfd of `target`, and `namespaces` as \
         they are: with a pidfd no flags, or one too many, are EINVAL, and so \
         are several with a file of /proc/PID/ns",
    ),
    (
        &["not permitted"],
        "`join` must join all of `namespaces` in one call: once in the user \
         namespace, the process has no powers outside any more",
    ),
];

/// Words of the standard library, which takes no -1 for a descriptor.
pub const MINUS_ONE: &Causes =
    &[(&["fd != -1"], NO_DESCRIPTOR), (&["from_raw_fd"], NO_DESCRIPTOR)];

const NO_DESCRIPTOR: &str = "`open`: -1 is no descriptor, it is an error: \
                             `Errno::result` makes a Result of the answer";
