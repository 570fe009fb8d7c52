//! The other name that a UTS namespace has: the one of NIS, an old directory
//! of users and machines. Hardly anybody asks for it, but it is there.

use anyhow::{Context, Result};
use nix::errno::Errno;

/// Gives this process's UTS namespace a domain name: setdomainname(2).
///
/// # Errors
/// As for [`set_hostname`](crate::uts::set_hostname).
pub fn set_domainname(name: &str) -> Result<()> {
    // SAFETY: the pointer is to so many bytes, which the kernel copies.
    let answer =
        unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
    Errno::result(answer)
        .map(drop)
        .with_context(|| format!("set the domain name to {name:?}"))
}
