//! The calls that the primitive is made of, as Rust sees them: capset(2), and
//! some operations of prctl(2). They are here and not in nix, which has none.

use libc::c_ulong;
use nix::errno::Errno;

use crate::capabilities::Set;

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

/// Sets the three sets that capset(2) knows.
///
/// # Errors
/// EPERM when a capability would be gained, or one inheritable that is not in
/// the bounding set.
pub fn capset(
    effective: Set,
    permitted: Set,
    inheritable: Set,
) -> nix::Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    // Sixty-four bits in two halves, the lower ones first.
    let half = |shift: u32| Sets {
        effective: (effective.0 >> shift) as u32,
        permitted: (permitted.0 >> shift) as u32,
        inheritable: (inheritable.0 >> shift) as u32,
    };
    let sets = [half(0), half(32)];
    // SAFETY: both have the kernel's layout, and version 3 means two halves.
    let answer = unsafe {
        libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr())
    };
    Errno::result(answer).map(drop)
}

/// Is the capability with this number in the bounding set?
///
/// # Errors
/// EINVAL when the kernel has none with this number.
pub fn bounding_has(number: u32) -> nix::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, number.into(), 0).map(|answer| answer == 1)
}

/// Takes it out of the bounding set.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn drop_from_bounding(number: u32) -> nix::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, number.into(), 0).map(drop)
}

/// Puts it into the ambient set.
///
/// # Errors
/// EPERM when it is not both permitted and inheritable.
pub fn raise_ambient(number: u32) -> nix::Result<()> {
    let raise = libc::PR_CAP_AMBIENT_RAISE as c_ulong;
    prctl(libc::PR_CAP_AMBIENT, raise, number.into()).map(drop)
}

/// Its arguments are `unsigned long`s (prctl(2)): as wide as a register. One of
/// 64 bits would be two of them where a register has 32.
fn prctl(operation: i32, first: c_ulong, second: c_ulong) -> nix::Result<i32> {
    const NONE: c_ulong = 0;
    // SAFETY: these operations take numbers and no pointer; those that they
    // do not use must be zero.
    let answer = unsafe { libc::prctl(operation, first, second, NONE, NONE) };
    Errno::result(answer)
}
