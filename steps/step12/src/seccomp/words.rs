//! The words of a profile: actions, operators and flags as they are written.

use crate::config::seccomp::Seccomp;
use anyhow::{Result, bail, ensure};
use libc::{
    SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
    SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_TRACE,
    SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF, c_ulong,
};

/// What each action answers to the kernel (seccomp(2)).
pub const ACTIONS: [(&str, u32); 9] = [
    ("SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW),
    ("SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO),
    ("SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD),
    ("SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS),
    ("SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD),
    ("SCMP_ACT_LOG", SECCOMP_RET_LOG),
    ("SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF),
    ("SCMP_ACT_TRACE", SECCOMP_RET_TRACE),
    ("SCMP_ACT_TRAP", SECCOMP_RET_TRAP),
];

/// How an argument is compared, all 64 bits of it and unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `(argument & value) == valueTwo`
    MaskedEqual,
}

/// The operators by name.
pub const OPERATORS: [(&str, Operator); 7] = [
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::AtLeast),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_LE", Operator::AtMost),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
    ("SCMP_CMP_NE", Operator::NotEqual),
];

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, since Linux 5.19: a process that
/// waits for the agent's answer is only woken by a signal that kills it.
pub const WAIT_KILLABLE_RECV: c_ulong = 1 << 5;

/// The flags by name.
///
/// TSYNC puts the filter on the other threads as well. The process has none
/// yet, so there is nothing to be done for it.
pub const FLAGS: [(&str, c_ulong); 4] = [
    ("SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW),
    ("SECCOMP_FILTER_FLAG_TSYNC", 0),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV),
];

/// The highest errno that the kernel lets a filter answer (MAX_ERRNO,
/// linux/err.h). A tracer gets all 16 bits, whatever they mean to it.
const HIGHEST_ERRNO: u32 = 4095;

/// The answer for the action `name` with this errno; EPERM where none is said.
/// `field` is where it stands in config.json.
///
/// # Errors
/// An action that there is not; an errno for one that answers none, or one
/// that is too high.
pub fn answer(
    field: &str,
    name: &str,
    errno_field: &str,
    errno: Option<u32>,
) -> Result<u32> {
    let known = ACTIONS.iter().find(|known| known.0 == name);
    let Some(&(_, action)) = known else {
        bail!("{field}: no such action: {name:?}")
    };
    let highest = match action {
        SECCOMP_RET_ERRNO => HIGHEST_ERRNO,
        SECCOMP_RET_TRACE => u16::MAX.into(),
        _ => {
            ensure!(errno.is_none(), "{errno_field}: {name} takes no errno");
            return Ok(action);
        }
    };
    let errno = errno.unwrap_or(libc::EPERM as u32);
    ensure!(errno <= highest, "{errno_field}: {errno} is above {highest}");
    Ok(action | errno)
}

/// The operator `name`.
///
/// # Errors
/// When there is none of that name.
pub fn operator(field: &str, name: &str) -> Result<Operator> {
    match OPERATORS.iter().find(|known| known.0 == name) {
        Some(known) => Ok(known.1),
        None => bail!("{field}.op: no such operator: {name:?}"),
    }
}

/// The flags of the profile for seccomp(2), but for the listener's.
///
/// Where the profile says nothing of flags, not even that there are none, the
/// processor may go on speculating on loads past stores (SPEC_ALLOW): so does
/// runc, and so does the kernel by itself since 5.16.
///
/// # Errors
/// A flag that there is not.
pub fn flags(profile: &Seccomp) -> Result<c_ulong> {
    let Some(names) = &profile.flags else {
        return Ok(SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    };
    let mut flags = 0;
    for (index, name) in names.iter().enumerate() {
        match FLAGS.iter().find(|known| known.0 == name) {
            Some(known) => flags |= known.1,
            None => {
                bail!("linux.seccomp.flags[{index}]: no such flag: {name:?}")
            }
        }
    }
    Ok(flags)
}
