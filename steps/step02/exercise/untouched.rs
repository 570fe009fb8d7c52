//! The exercise of step02: being PID 1. About 25 lines are yours.
//!
//! ```text
//! cargo workshop check 2                                    look at it
//! cargo workshop hint 2 run_as_init                         a hint
//! cargo run -p step02 --features exercise -- --init ps      try it
//! cargo test -p step02 --features exercise                  prove it
//! cargo run -p step08 --features step02/exercise -- --init  climb on it
//! ```
//!
//! Only `--init` gets here: without it the command itself is PID 1. What the
//! kernel expects of that one is in pid_namespaces(7), "The namespace init
//! process". Replace each `unwritten(…)` by a body of your own; the solution
//! is in `pid.rs`.

#![allow(unused, reason = "until it is written")]

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use step00::child::{self, close_all_but};
use step00::process;
use step00::{Command, Ending};

use crate::init::look_after;

/// Executes the command as a child and looks after it as PID 1 should.
///
/// Ends with the command's own status, or 128+N if signal N killed it.
///
/// # Errors
/// EAGAIN when there may be no second process (pids.max, RLIMIT_NPROC). An
/// error of execve(2) is reported by the child.
pub fn run_as_init(command: &Command) -> Result<Infallible> {
    // 1. PID 1's shield drops every signal that has no handler. A *blocked*
    //    signal is not dropped, it stays pending until it is read. So block
    //    all of them (`SigSet`, `thread_block`), and open a `SignalFd` to
    //    read them from: signalfd(2). Usual mistake: to block them after the
    //    fork, and to miss the SIGCHLD of a command that ends at once.
    //    The command must not inherit the descriptor: which flag sees to it?
    //    (The solution also hides init's memory here: `set_dumpable(false)`.
    //    It is a copy of the launcher's.)
    //
    // 2. `process::fork` is yours, from step00: no new namespace (0), no
    //    cgroup. Which of the two returns is the child's? Higher rungs have a
    //    filter on by now that answers ENOSYS to clone3, as if the kernel were
    //    too old: `.or_else(child::fork_by_clone)` tries the older call.
    //
    // 3. In the child: blocked signals survive execve(2), and no program
    //    expects them. Unblock them all (`sigprocmask`, SIG_SETMASK), and
    //    then be the command: `process::execute`.
    //
    // 4. In the parent: remember the child's pid and drop the rest of it (PID
    //    1 waits for any child, no pidfd is needed). Then `close_all_but` the
    //    signalfd. Usual mistake: to keep the others. Of the gate to the
    //    launcher (unix(7)) this process holds a copy; as long as that is
    //    open, the launcher waits.
    //    Then `look_after` the child (src/init.rs is given, and wants to know
    //    your `reap`), and exit with the status of its ending.
    step00::unwritten("run_as_init", file!())
}

/// Takes the status of each child that has ended, the command's own and those
/// of orphans alike. One SIGCHLD may stand for several.
fn reap(command: Pid) -> Result<Option<Ending>> {
    // `child::reap` (step00) is waitid(2). Ask it for any child, and with the
    // flag that makes it return at once if none has ended: PID 1 has more to
    // do than to wait.
    //
    // Usual mistake: to call it once. Signals of one kind do not queue up
    // (signal(7)), so that one SIGCHLD may mean three dead children. In which
    // two ways does it answer that there is nothing left to be reaped?
    //
    // If the command was among them, return how it ended. But first reap the
    // others.
    step00::unwritten("reap", file!())
}
