//! The exercise of step10: giving root's powers away. About 15 lines are
//! yours.
//!
//! ```text
//! cargo workshop check 10                             look at it
//! cargo run -p step10 --features exercise -- id       try it
//! cargo test -p step10 --features exercise            prove it
//! cargo run -p step11 --features step10/exercise run  climb on it
//! cargo workshop hint 10 limit_bounding               a hint
//! ```
//!
//! What makes root powerful is not the number 0. It is some forty separate
//! permissions, the capabilities, and a process has five sets of them
//! (capabilities(7)):
//!
//! - *effective*: what the kernel asks for when something is attempted;
//! - *permitted*: what the process may put into its effective set;
//! - *inheritable* and *ambient*: what can survive an execve(2) of a program
//!   that is not run by root;
//! - *bounding*: what execve(2) can give at most, in this user namespace.
//!
//! For root the last one is all that counts in the end. At execve(2) the
//! kernel gives user 0 every capability, as in old times, but for those that
//! are missing from the bounding set. A process that empties only its
//! effective set has it full again in the very next program.
//!
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `privileges.rs`.

#![allow(unused, reason = "until it is written")]

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;

use crate::calls::{bounding_has, capset, drop_from_bounding, raise_ambient};
use crate::capabilities::Set;

/// Takes all but `kept` out of the bounding set. There is no way back: not for
/// this process, not for its children.
///
/// # Errors
/// EPERM without CAP_SETPCAP; so this comes before [`set_capabilities`], and
/// before a change of user.
pub fn limit_bounding(kept: Set) -> Result<()> {
    // capabilities(7), "Capability bounding set". It can only be asked about
    // one capability at a time, and only one at a time can be taken out.
    //
    // Go through the numbers from 0 on: `bounding_has` asks (src/calls.rs),
    // `drop_from_bounding` takes out, `kept.has` says what is to stay.
    //
    // How many are there? Each kernel has its own last one, below 64, and to
    // ask for the next is EINVAL (`Err(Errno::EINVAL)`): the end of the loop,
    // and no error. Any other error is one. Usual mistake: to begin with 1,
    // or to write down how many there are on this machine.
    step00::unwritten("limit_bounding", file!())
}

/// Sets the permitted and the effective set to `permitted`, the inheritable
/// and the ambient one to `inherited`.
///
/// Root needs none of the last two. But another user's program starts with
/// what is ambient, and nothing else.
///
/// # Errors
/// EPERM when a capability would be *gained*: sets can only become smaller.
pub fn set_capabilities(permitted: Set, inherited: Set) -> Result<()> {
    // 1. One call sets three of the sets: capset(2). `capset` takes them in
    //    this order: effective, permitted, inheritable. Usual mistake: to
    //    compute a set and never to give it to the kernel. With root it does
    //    not show: execve(2) fills CapEff from the bounding set. Look at CapInh
    //    and CapEff in /proc/self/status with `--user 1000 --cap-add kill`.
    //
    // 2. The ambient set is filled one by one (`inherited.numbers()`), with
    //    `raise_ambient`. Why not before the first step? capabilities(7) says
    //    which two sets an ambient capability must be in.
    step00::unwritten("set_capabilities", file!())
}

/// From here on execve(2) gives nothing that the process has not already: a
/// set-user-ID program runs as whoever starts it. Children inherit this, and
/// it cannot be switched off (prctl(2), PR_SET_NO_NEW_PRIVS).
pub fn forbid_new_privileges() -> Result<()> {
    // It is one operation of prctl(2), and `nix::sys::prctl` has a function
    // for it. Say at what it failed if it does. Then look at NoNewPrivs in
    // /proc/self/status, and at what a set-user-ID program does with it.
    step00::unwritten("forbid_new_privileges", file!())
}
