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
//! - *bounding*: what it can never get back, by whatever program.
//!
//! For root the last one is all that counts in the end. At execve(2) the
//! kernel gives user 0 every capability, as in old times, but for those that
//! are missing from the bounding set. Whoever empties only the effective set
//! has it full again in the very next program.

use std::io;

use anyhow::{Context, Result};
use nix::sys::prctl;

use crate::capabilities::Set;

/// Takes all but `kept` out of the bounding set. There is no way back: not for
/// this process, not for its children.
///
/// # Errors
/// EPERM without CAP_SETPCAP; so this comes before [`set_capabilities`], and
/// before a change of user.
pub fn limit_bounding(kept: Set) -> Result<()> {
    for number in 0..64 {
        let in_set = match prctl_number(libc::PR_CAPBSET_READ, number) {
            // That was the last one that this kernel has.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            in_set => in_set
                .with_context(|| format!("look for capability {number}"))?,
        };
        if in_set == 1 && kept & Set(1 << number) == Set::NONE {
            prctl_number(libc::PR_CAPBSET_DROP, number)
                .with_context(|| format!("drop capability {number}"))?;
        }
    }
    Ok(())
}

/// Sets the three sets that capset(2) knows: permitted and effective to
/// `permitted`, inheritable to `inherited`; and the ambient one to `inherited`.
///
/// Only root needs none of the last two. Another user's program starts with
/// what is ambient, and nothing else.
///
/// # Errors
/// EPERM when a capability would be *gained*: sets can only become smaller.
pub fn set_capabilities(permitted: Set, inherited: Set) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    // Sixty-four bits in two halves, the lower ones first.
    let half = |shift: u32| Sets {
        effective: (permitted.0 >> shift) as u32,
        permitted: (permitted.0 >> shift) as u32,
        inheritable: (inherited.0 >> shift) as u32,
    };
    let sets = [half(0), half(32)];
    // SAFETY: both have the kernel's layout, and version 3 means two halves.
    let answer = unsafe {
        libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr())
    };
    nix::errno::Errno::result(answer)
        .with_context(|| format!("reduce the capabilities to {permitted}"))?;
    for number in inherited.numbers() {
        raise_ambient(number)
            .with_context(|| format!("make capability {number} ambient"))?;
    }
    Ok(())
}

/// From here on execve(2) gives nothing that the process has not already: a
/// set-user-ID program runs as whoever starts it. Children inherit this, and
/// it cannot be switched off (PR_SET_NO_NEW_PRIVS(2const)).
pub fn forbid_new_privileges() -> Result<()> {
    prctl::set_no_new_privs().context("set no_new_privs")
}

/// `struct __user_cap_header_struct` of <linux/capability.h>.
#[repr(C)]
struct Header {
    version: u32,
    /// 0: the calling thread.
    pid: i32,
}

/// `struct __user_cap_data_struct`: 32 bits of each set.
#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// _LINUX_CAPABILITY_VERSION_3: 64 capabilities, since Linux 2.6.26.
const VERSION_3: u32 = 0x2008_0522;

fn raise_ambient(number: u32) -> io::Result<()> {
    let (raise, number) = (libc::PR_CAP_AMBIENT_RAISE, number as u64);
    // SAFETY: prctl takes plain numbers here; the last two must be zero.
    let answer = unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, raise as u64, number, 0u64, 0u64)
    };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn prctl_number(operation: i32, number: u32) -> io::Result<i32> {
    // SAFETY: both operations take one number and no pointer.
    let answer =
        unsafe { libc::prctl(operation, number as u64, 0u64, 0u64, 0u64) };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}
