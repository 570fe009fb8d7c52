//! The primitive: a filter for the words that this process may say to the
//! kernel.
//!
//! The blindfolds and the cgroup change what a system call *finds*. The kernel
//! behind it is still the one kernel of this machine, with some 350 calls, and
//! a hole in any of them is a way out. seccomp shuts the calls themselves: at
//! every one, before anything else, the kernel runs our small program and does
//! as it answers. Children inherit it, execve keeps it, and nothing takes it
//! off again (seccomp(2)).
//!
//! The program asks, from top to bottom:
//!
//! 1. Is this our architecture? If not, the numbers mean something else.
//! 2. Is it one of the calls that must look as if they did not exist?
//! 3. Is it a call that depends on an argument?
//! 4. Is its number in one of the allowed ranges?
//! 5. Otherwise: newer than our table, or refused.
//!
//! Linear, and yet quick: since 5.11 the kernel tries each number once when
//! the filter is installed, and no longer runs it for those that are allowed
//! whatever their arguments (kernel/seccomp.c, `seccomp_cache_prepare`).

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

// ANCHOR: program
/// Builds the filter program that lets exactly `calls` through.
pub fn program(calls: &Calls) -> Vec<sock_filter> {
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
// ANCHOR_END: program

// ANCHOR: architecture
/// A number means nothing before it is known whose number it is.
///
/// On x86_64 a process can make 32-bit calls too (`int 0x80`), where 21 is
/// `mount` and not `access`. No program of ours does so: kill the process, not
/// just the thread, with SIGSYS (seccomp(2), SECCOMP_RET_KILL_PROCESS).
fn architecture_check() -> [sock_filter; 3] {
    [
        load(ARCHITECTURE),
        jump(EQUAL, arch::AUDIT_ARCH, 1, NEXT),
        answer(SECCOMP_RET_KILL_PROCESS),
    ]
}
// ANCHOR_END: architecture

// ANCHOR: range
/// Allows the calls `first` to `last`. A holds the call's number.
///
/// The ranges come in ascending order. So a number below `first` was in no
/// range above, can be in none below, and is refused on the spot.
fn range(first: u32, last: u32) -> Vec<sock_filter> {
    if first == last {
        return vec![jump(EQUAL, first, ALLOW, NEXT)];
    }
    vec![jump(AT_LEAST, first, NEXT, REFUSE), jump(GREATER, last, NEXT, ALLOW)]
}
// ANCHOR_END: range

// ANCHOR: answers
/// What is said to everything else, and the three answers themselves.
///
/// A C library tries a new call first and, on ENOSYS, does it the old way; on
/// EPERM it gives up. So a call that is newer than our table gets the answer
/// of a kernel that is older than the call. [`link`] wants this order.
fn default_answer(newest: u32) -> [sock_filter; 4] {
    [
        jump(GREATER, newest, ABSENT, NEXT),
        answer_errno(libc::EPERM),
        answer_errno(libc::ENOSYS),
        answer(SECCOMP_RET_ALLOW),
    ]
}
// ANCHOR_END: answers

// ANCHOR: install
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
    let fprog = sock_fprog {
        len: program.len().try_into().context("seccomp program too long")?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `fprog` says where `program` lies and how long it is, and both
    // outlive the call. The kernel copies the instructions and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            0,
            &raw const fprog,
        )
    };
    Errno::result(result).map(drop).with_context(|| {
        let length = program.len();
        format!(
            "install the seccomp filter of {length} instructions (needs \
             CONFIG_SECCOMP_FILTER, and CAP_SYS_ADMIN in the user namespace)"
        )
    })
}
// ANCHOR_END: install
