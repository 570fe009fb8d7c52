//! seccomp(2) with flags, which step08 has no need of.

use anyhow::{Context, Result};
use libc::{
    SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_SET_MODE_FILTER, c_ulong,
    sock_filter, sock_fprog,
};
use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd};

/// Puts `program` on the calling thread; see [`super::Filter::install`].
pub fn install(
    program: &[sock_filter],
    flags: c_ulong,
) -> Result<Option<OwnedFd>> {
    if flags == 0 {
        step08::seccomp::install(program)?;
        return Ok(None);
    }
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
            flags,
            &raw const fprog,
        )
    };
    let result = Errno::result(result).with_context(|| {
        let length = program.len();
        format!(
            "install the seccomp filter of {length} instructions with the \
             flags {flags:#x}"
        )
    })?;
    if flags & SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with this flag the answer is a new descriptor, and nobody else
    // has it.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(result as i32) }))
}
