//! The exercise of step08: a filter for system calls. About 25 lines are
//! yours: the architecture check, one range, the default, and the call that
//! installs the program. The table of the calls is not among them.
//!
//! ```text
//! cargo workshop check 8                                      look at it
//! cargo run -p step08 --features exercise -- --dump-seccomp   see it
//! cargo run -p step08 --features exercise                     try it
//! cargo test -p step08 --features exercise                    prove it
//! cargo workshop hint 8 range                                 a hint
//! ```
//!
//! The program is for a very little machine: read `bpf.rs` first, it has the
//! instructions (`load`, `jump`, `answer`) and the labels to jump to (ALLOW,
//! REFUSE, ABSENT; NEXT goes on). In the code a jump has a *distance*, which
//! says how many instructions are skipped; the listing (`--dump-seccomp`) says
//! to which *line* it goes. The program asks, from top to bottom:
//!
//! 1. Is this our architecture? If not, the numbers mean something else.
//! 2. Is it one of the calls that must look as if they did not exist?
//! 3. Is it a call that depends on an argument?
//! 4. Is its number in one of the allowed ranges?
//! 5. Otherwise: newer than our table, or refused.
//!
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `seccomp.rs`.

#![allow(unused, reason = "until it is written")]

use crate::arch;
use crate::argument::argument_check;
use crate::bpf::{
    ABSENT, ALLOW, ARCHITECTURE, AT_LEAST, EQUAL, GREATER, NEXT, NUMBER,
    REFUSE, answer, answer_errno, jump, link, load,
};
use crate::calls::Calls;
use anyhow::{Context, Result};
use libc::{
    SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_SET_MODE_FILTER,
    sock_filter, sock_fprog,
};
use nix::errno::Errno;

/// Builds the filter program that lets exactly `calls` through.
pub fn program(calls: &Calls) -> Vec<sock_filter> {
    // This is given: it puts your parts together, in the order of the list
    // above.
    let mut program = architecture_check().to_vec();
    program.push(load(NUMBER));
    // An x32 number is no number of our table, so an allow-list refuses it in
    // any case; a filter that lists what is *forbidden* is bypassed here.
    if let Some(bit) = arch::X32_BIT {
        program.push(jump(AT_LEAST, bit, REFUSE, NEXT));
    }
    for &number in &calls.absent {
        program.push(jump(EQUAL, number, ABSENT, NEXT));
    }
    for (number, check) in &calls.checked {
        program.extend(argument_check(*number, check));
    }
    for &(first, last) in &calls.ranges {
        program.extend(range(first, last));
    }
    program.extend(default_answer(calls.newest));
    link(&mut program);
    program
}

/// A number means nothing before it is known whose number it is.
///
/// On x86_64 a process can make 32-bit calls too (`int 0x80`), where 21 is
/// `mount` and not `access`. No program of ours does so: kill the process, not
/// just the thread, with SIGSYS (seccomp(2), SECCOMP_RET_KILL_PROCESS).
fn architecture_check() -> [sock_filter; 3] {
    // Three instructions: load the architecture; compare it with ours
    // (`arch::AUDIT_ARCH`); an answer for when it is another one.
    //
    // A distance says how many instructions are *skipped*: where is yes to
    // go, and where no? Usual mistake: to swap the two, and every program is
    // killed by SIGSYS (31). Another: to leave out this check, and nothing
    // shows. seccomp(2), at `struct seccomp_data`, says what it is for.
    step00::unwritten("architecture_check", file!())
}

/// Allows the calls `first` to `last`. A holds the call's number.
///
/// The ranges come in ascending order. So a number below `first` was in no
/// range above, can be in none below, and is refused on the spot.
fn range(first: u32, last: u32) -> Vec<sock_filter> {
    // 1. Many ranges hold one call only. One instruction is enough then.
    //
    // 2. All others take two comparisons. There is AT_LEAST and there is
    //    GREATER, but nothing for "less": that is the no of one of them.
    //    Where does a number below `first` go, and where one above `last`?
    //    Usual mistake: an off-by-one at `last`, which is allowed.
    step00::unwritten("range", file!())
}

/// What is said to everything else, and the three answers themselves.
///
/// A C library tries a new call first and, on ENOSYS, does it the old way; on
/// EPERM it gives up. So a call that is newer than our table gets the answer
/// of a kernel that is older than the call. [`link`] wants this order.
fn default_answer(newest: u32) -> [sock_filter; 4] {
    // 1. Is A newer than the newest call that we know? Then it is to look as
    //    if it did not exist. If not, go on.
    //
    // 2. What follows at once is therefore what refuses. The other two answers
    //    come after it, in the order that `link` (bpf.rs) expects: it counts
    //    them from the end. Usual mistake: another order. Where ALLOW is not
    //    the last, every allowed call fails. EPERM and ENOSYS are in libc;
    //    ALLOW's is no errno.
    step00::unwritten("default_answer", file!())
}

/// Puts `program` on the calling thread, for good.
///
/// The kernel takes a filter only from a thread that has CAP_SYS_ADMIN in its
/// user namespace, or that has set no_new_privs: otherwise a set-user-ID
/// program could be run with, say, setuid(2) faked (seccomp(2), EACCES). Root
/// of its own user namespace has the capability; no_new_privs is step10's.
///
/// # Errors
///
/// EACCES without either of the two; EINVAL when the kernel cannot filter
/// (built without CONFIG_SECCOMP_FILTER) or finds the program malformed.
pub fn install(program: &[sock_filter]) -> Result<()> {
    // 1. A struct sock_fprog says how long the program is (in instructions,
    //    as a u16: `try_into`), and where it lies (`as_ptr`; the kernel only
    //    reads it, but the type wants a mutable pointer: `cast_mut`). Usual
    //    mistake: the length in bytes, and the kernel answers EINVAL.
    //
    // 2. seccomp(2) has no function in the C library. `libc::syscall` takes
    //    the call's number, `libc::SYS_seccomp`, and then its three arguments:
    //    operation, flags (none), and the address of that struct (`&raw
    //    const`). It is unsafe: what must outlive the call?
    //
    // 3. -1 is an error: `Errno::result` makes a Result of the answer. The
    //    context says how long the program was, and what the call needs.
    //    Usual mistake: to leave it at the call. Then a kernel that takes no
    //    filter goes unnoticed, and the command runs without one.
    step00::unwritten("install", file!())
}
