//! Everything in this rung that depends on the processor's architecture.
//!
//! A system call is only a number in a register, and each architecture counts
//! in its own way: 165 is `mount` on x86_64, `getrusage` on aarch64 and
//! `getresuid` on i386. A filter that compares numbers without knowing the
//! architecture compares apples with pears, so the kernel hands it both
//! (`struct seccomp_data`, seccomp(2)).
//!
//! Interface: [`AUDIT_ARCH`] and [`X32_BIT`] describe the running machine;
//! [`number`] and [`name`] translate; [`newest`] is where our knowledge ends.
//! [`Arch`] has the tables of all three, whichever of them this is.
//!
//! To add an architecture, give [`Arch`] one more, with its four answers. The
//! numbers come from the crate `syscalls` wherever it has them.

use libc::{EM_386, EM_AARCH64, EM_X86_64};
use std::sync::LazyLock;
use syscalls::{aarch64, x86, x86_64};

/// A system call's name and its number on one architecture.
pub type Call = (&'static str, u32);

/// An architecture that the rungs are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit x86, from the Pentium Pro on: Rust's i686, the kernel's i386.
    I386,
}

// How `seccomp_data.arch` is put together (linux/audit.h; libc lacks it): the
// ELF machine number plus two bits, for 64-bit and for little-endian.
const AUDIT_64BIT: u32 = 0x8000_0000;
const AUDIT_LITTLE_ENDIAN: u32 = 0x4000_0000;

impl Arch {
    /// All of them.
    pub const ALL: [Arch; 3] = [Arch::X86_64, Arch::Aarch64, Arch::I386];

    /// The one that this program was built for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Arch = Arch::X86_64;
    /// The one that this program was built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Arch = Arch::Aarch64;
    /// The one that this program was built for.
    #[cfg(target_arch = "x86")]
    pub const NATIVE: Arch = Arch::I386;

    /// What `seccomp_data.arch` holds for its calls.
    pub const fn audit(self) -> u32 {
        match self {
            Arch::X86_64 => {
                EM_X86_64 as u32 | AUDIT_64BIT | AUDIT_LITTLE_ENDIAN
            }
            Arch::Aarch64 => {
                EM_AARCH64 as u32 | AUDIT_64BIT | AUDIT_LITTLE_ENDIAN
            }
            Arch::I386 => EM_386 as u32 | AUDIT_LITTLE_ENDIAN,
        }
    }

    /// What linux/audit.h calls it, without `AUDIT_ARCH_`.
    const fn audit_name(self) -> &'static str {
        match self {
            Arch::X86_64 => "X86_64",
            Arch::Aarch64 => "AARCH64",
            Arch::I386 => "I386",
        }
    }

    /// x32 programs (64-bit registers, 32-bit pointers) report x86_64's
    /// architecture; only this bit in the number gives them away
    /// (`__X32_SYSCALL_BIT`, asm/unistd.h). seccomp(2), NOTES, warns of it.
    const fn x32_bit(self) -> Option<u32> {
        match self {
            Arch::X86_64 => Some(0x4000_0000),
            Arch::Aarch64 | Arch::I386 => None,
        }
    }

    /// Every system call of it that we know of, by name without `SYS_`,
    /// unsorted.
    pub fn calls(self) -> &'static [Call] {
        match self {
            Arch::X86_64 => &OF_X86_64,
            Arch::Aarch64 => &OF_AARCH64,
            Arch::I386 => &OF_I386,
        }
    }
}

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "x86"
)))]
compile_error!("step08 has no system call table for this architecture yet");

/// What `seccomp_data.arch` holds for a native call.
pub const AUDIT_ARCH: u32 = Arch::NATIVE.audit();

/// The bit that tells an x32 number from a native one, where there is x32.
pub const X32_BIT: Option<u32> = Arch::NATIVE.x32_bit();

/// The crate's table of one architecture, up to the last call that it knows.
macro_rules! table {
    ($arch:ident) => {
        (0..=$arch::Sysno::last().id() as usize)
            .filter_map($arch::Sysno::new)
            .map(|call| (call.name(), call.id() as u32))
    };
}

/// The kernel's list: arch/x86/entry/syscalls/syscall_64.tbl.
static OF_X86_64: LazyLock<Vec<Call>> = LazyLock::new(|| {
    let missing = [("uretprobe", 335), ("uprobe", 336)];
    table!(x86_64).chain(missing).chain(NEWEST).collect()
});

/// The kernel's list: scripts/syscall.tbl. The oldest calls are missing: a
/// younger architecture was not given `open`, `fork` or `chmod`, because
/// `openat`, `clone` and `fchmodat` can do their work.
static OF_AARCH64: LazyLock<Vec<Call>> = LazyLock::new(|| {
    // The crate has read the header that all younger architectures share
    // (asm-generic/unistd.h), with two names that are not this one's.
    let name = |(name, number)| match name {
        "fstatat" => ("newfstatat", number),
        "sync_file_range2" => ("sync_file_range", number),
        name => (name, number),
    };
    // From 403 to 423 stand 32-bit architectures' calls with 64-bit times. The
    // others, whose times have always been so wide, left these numbers out.
    let has = |call: &Call| !(403..424).contains(&call.1);
    table!(aarch64).filter(has).map(name).chain(NEWEST).collect()
});

/// The kernel's list: arch/x86/entry/syscalls/syscall_32.tbl. The oldest calls
/// are all there, and beside many of them a wider one: user IDs had 16 bits
/// (`setuid`, `setuid32`), sizes of files 32 (`stat`, `stat64`), times 32
/// (`futex`, `futex_time64`).
static OF_I386: LazyLock<Vec<Call>> = LazyLock::new(|| {
    // The crate spells the word as Rust has to.
    let name = |(name, number)| match name {
        "r#break" => ("break", number),
        name => (name, number),
    };
    table!(x86).map(name).chain(NEWEST).collect()
});

/// The newest calls, which the crate has not. From 424 on a new call gets one
/// number everywhere.
const NEWEST: [Call; 10] = [
    ("mseal", 462),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
    ("open_tree_attr", 467),
    ("file_getattr", 468),
    ("file_setattr", 469),
    ("listns", 470),
    ("rseq_slice_yield", 471),
];

/// Every system call we know of here, by name without `SYS_`, unsorted.
pub fn known() -> impl Iterator<Item = Call> {
    Arch::NATIVE.calls().iter().copied()
}

/// The number of the call `name`, or `None` where this architecture (or our
/// knowledge) has no such call: `open` on aarch64.
pub fn number(name: &str) -> Option<u32> {
    known().find(|call| call.0 == name).map(|call| call.1)
}

/// The name of call `number` on this architecture.
pub fn name(number: u32) -> Option<&'static str> {
    known().find(|call| call.1 == number).map(|call| call.0)
}

/// The highest number we know of. Numbers are handed out upwards, so what lies
/// above it was invented after this table was written.
pub fn newest() -> u32 {
    known().map(|call| call.1).max().unwrap_or(0)
}

/// What linux/audit.h calls the architecture, without `AUDIT_ARCH_`.
pub fn audit_name(arch: u32) -> Option<&'static str> {
    let mut all = Arch::ALL.into_iter();
    all.find(|known| known.audit() == arch).map(Arch::audit_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_and_no_number_stands_twice() {
        for arch in Arch::ALL {
            let calls = arch.calls();
            let names: HashSet<_> = calls.iter().map(|call| call.0).collect();
            let numbers: HashSet<_> =
                calls.iter().map(|call| call.1).collect();
            assert_eq!(names.len(), calls.len(), "{arch:?}");
            assert_eq!(numbers.len(), calls.len(), "{arch:?}");
        }
    }

    #[test]
    fn unified_numbers_begin_at_424() {
        let unified = |arch: Arch| -> Vec<Call> {
            let is_new = |call: &&Call| call.1 >= 424;
            arch.calls().iter().filter(is_new).copied().collect()
        };
        for arch in Arch::ALL {
            assert_eq!(unified(arch), unified(Arch::NATIVE), "{arch:?}");
        }
        // 424 … newest without a hole: none was forgotten.
        let all: Vec<u32> = (424..=newest()).collect();
        let numbers = unified(Arch::NATIVE).into_iter().map(|call| call.1);
        assert_eq!(numbers.collect::<Vec<u32>>(), all);
    }

    #[test]
    fn names_and_numbers_translate_both_ways() {
        assert_eq!(number("mount"), Some(libc::SYS_mount as u32));
        assert_eq!(name(libc::SYS_mount as u32), Some("mount"));
        assert_eq!(number("open").is_none(), cfg!(target_arch = "aarch64"));
        assert_eq!(number("stat64").is_some(), cfg!(target_arch = "x86"));
        // linux/audit.h.
        assert_eq!(audit_name(0xC000_003E), Some("X86_64"));
        assert_eq!(audit_name(0xC000_00B7), Some("AARCH64"));
        assert_eq!(audit_name(0x4000_0003), Some("I386"));
        assert_eq!(audit_name(0x4000_0028), None, "arm is not told");
        assert_eq!(audit_name(AUDIT_ARCH).map(str::is_empty), Some(false));
        assert_eq!((number("no_such_call"), name(9999)), (None, None));
    }
}
