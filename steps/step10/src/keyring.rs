//! The keys of the user who started the launcher.
//!
//! A process inherits a session keyring, which may hold the keys of encrypted
//! folders or of a network's file servers. Who *possesses* it may read them
//! (keyrings(7)): the check does not ask for the user, so no user namespace
//! takes the keys away. The filter of step08 refuses keyctl(2); this is the
//! guard behind it.

use anyhow::{Context, Result};
use nix::errno::Errno;
use step00::Advice;

/// `KEYCTL_JOIN_SESSION_KEYRING` of <linux/keyctl.h>.
const JOIN_SESSION_KEYRING: libc::c_int = 1;

/// Exchanges this process's session keyring for a new, empty one. Children
/// inherit it.
///
/// # Errors
/// EDQUOT when the user has too many keys. A kernel without keys has none
/// to hide, and that is no error.
pub fn leave() -> Result<()> {
    let no_name = std::ptr::null::<libc::c_char>();
    // SAFETY: with null for its name the new keyring has none (keyctl(2)).
    let answer = unsafe {
        libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, no_name)
    };
    match Errno::result(answer) {
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno)
            .context("make a session keyring")
            .advice("see /proc/key-users and /proc/sys/kernel/keys/maxkeys"),
    }
}
