//! The exercise of step01: a hostname of one's own. About 10 lines are yours.
//!
//! ```text
//! cargo workshop check 1                                  look at it
//! cargo workshop hint 1 set_hostname                      a hint
//! cargo run -p step01 --features exercise -- hostname     try it
//! cargo test -p step01 --features exercise                prove it
//! cargo run -p step08 --features step01/exercise          climb on it
//! ```
//!
//! A process that was cloned with CLONE_NEWUTS (src/main.rs does that) starts
//! with a *copy* of its parent's names: uts_namespaces(7). Replace each
//! `unwritten(…)` by a body of your own; the solution is in `uts.rs`.

#![allow(unused, reason = "until it is written")]

use anyhow::{Context, Result};

/// The most bytes that a hostname may have: `__NEW_UTS_LEN` of the kernel's
/// `struct utsname`, without the zero byte at the end.
const LONGEST: usize = 64;

/// Gives this process's UTS namespace a name: sethostname(2).
///
/// Without CLONE_NEWUTS before it, this would rename the *machine*.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN in the user namespace that owns the UTS
/// namespace, EINVAL when the name is longer than 64 bytes.
pub fn set_hostname(name: &str) -> Result<()> {
    // 1. A system call from Rust: the crate `nix` has a safe function for
    //    most of them. This one is in `nix::unistd`, and it is named as in
    //    section 2 of the manual. (The pointer and the length that the man
    //    page asks for are both in a `&str`.)
    //
    // 2. It returns a Result with the errno. Usual mistake: to hand on a bare
    //    "EPERM", which does not tell where it came from. Add what was
    //    attempted, and with which name: `.with_context(|| format!(…))`.
    step00::unwritten("set_hostname", file!())
}

/// Refuses on the command line what the kernel would refuse later.
///
/// # Errors
/// A name that is empty (the kernel would take it; no reader could see it) or
/// longer than the kernel's 64 bytes.
pub fn parse_hostname(name: &str) -> Result<String, String> {
    // clap calls this with the value of --hostname, and prints the text of an
    // Err beside the name of the flag.
    //
    // The length decides between three cases; a `match` on it, with a range
    // up to LONGEST, says so in three arms. Usual mistake: to count letters.
    // What does the kernel count, and which method of `str` counts that?
    step00::unwritten("parse_hostname", file!())
}
