//! The primitive of step10: giving root's powers away.
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

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;

use crate::calls::{bounding_has, capset, drop_from_bounding, raise_ambient};
use crate::capabilities::Set;

// ANCHOR: limit_bounding
/// Takes all but `kept` out of the bounding set. There is no way back: not for
/// this process, not for its children.
///
/// # Errors
/// EPERM without CAP_SETPCAP; so this comes before [`set_capabilities`], and
/// before a change of user.
pub fn limit_bounding(kept: Set) -> Result<()> {
    for number in 0..64 {
        let is_there = match bounding_has(number) {
            // That was the last one that this kernel has.
            Err(Errno::EINVAL) => break,
            answer => answer
                .with_context(|| format!("look for capability {number}"))?,
        };
        if is_there && !kept.has(number) {
            drop_from_bounding(number)
                .with_context(|| format!("drop capability {number}"))?;
        }
    }
    Ok(())
}
// ANCHOR_END: limit_bounding

// ANCHOR: set_capabilities
/// Sets the permitted and the effective set to `permitted`, the inheritable
/// and the ambient one to `inherited`.
///
/// Root needs none of the last two. But another user's program starts with
/// what is ambient, and nothing else.
///
/// # Errors
/// EPERM when a capability would be *gained*: sets can only become smaller.
pub fn set_capabilities(permitted: Set, inherited: Set) -> Result<()> {
    capset(permitted, permitted, inherited)
        .with_context(|| format!("reduce the capabilities to {permitted}"))?;
    for number in inherited.numbers() {
        raise_ambient(number)
            .with_context(|| format!("make capability {number} ambient"))?;
    }
    Ok(())
}
// ANCHOR_END: set_capabilities

// ANCHOR: forbid_new_privileges
/// From here on execve(2) gives nothing that the process has not already: a
/// set-user-ID program runs as whoever starts it. Children inherit this, and
/// it cannot be switched off (prctl(2), PR_SET_NO_NEW_PRIVS).
pub fn forbid_new_privileges() -> Result<()> {
    prctl::set_no_new_privs().context("set no_new_privs")
}
// ANCHOR_END: forbid_new_privileges
