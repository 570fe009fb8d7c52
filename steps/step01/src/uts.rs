//! The primitive of step01: a hostname of one's own.
//!
//! A process that was cloned with CLONE_NEWUTS starts with a *copy* of its
//! parent's names (uts_namespaces(7)). From then on each side changes only its
//! own. In every other respect sethostname(2) is the call that names a machine
//! when it boots.

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
// ANCHOR: set_hostname
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name)
        .with_context(|| format!("set the hostname to {name:?}"))
}
// ANCHOR_END: set_hostname

/// Refuses on the command line what the kernel would refuse later.
///
/// # Errors
/// A name that is empty (the kernel would take it; no reader could see it) or
/// longer than the kernel's 64 bytes.
// ANCHOR: parse_hostname
pub fn parse_hostname(name: &str) -> Result<String, String> {
    match name.len() {
        0 => Err("a hostname has at least one byte".into()),
        1..=LONGEST => Ok(name.to_owned()),
        length => Err(format!(
            "{length} bytes; the kernel's struct utsname holds {LONGEST}"
        )),
    }
}
// ANCHOR_END: parse_hostname
