//! The architectures that one kernel can be asked in, and their calls.
//!
//! A kernel for x86_64 takes the calls of 32-bit programs too (x86), and of
//! those with 64-bit registers and 32-bit pointers (x32); one for aarch64
//! takes 32-bit arm's. Each counts its calls in its own way. The tables of what
//! the rungs are built for are step08's; here are the two others.

use anyhow::{Result, bail};
use libc::{EM_386, EM_AARCH64, EM_ARM, EM_X86_64};
use std::collections::HashMap;

/// An architecture whose calls we know by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// x86_64 with pointers of 32 bits.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
}

/// Every name that config.json may use (runtime-spec, config-linux.md). Those
/// without a table here are of machines that we do not run on: no call of
/// theirs can ever reach this kernel, so their rules come to nothing.
pub const NAMES: [(&str, Option<Arch>); 23] = [
    ("SCMP_ARCH_AARCH64", Some(Arch::Aarch64)),
    ("SCMP_ARCH_ARM", Some(Arch::Arm)),
    ("SCMP_ARCH_LOONGARCH64", None),
    ("SCMP_ARCH_M68K", None),
    ("SCMP_ARCH_MIPS", None),
    ("SCMP_ARCH_MIPS64", None),
    ("SCMP_ARCH_MIPS64N32", None),
    ("SCMP_ARCH_MIPSEL", None),
    ("SCMP_ARCH_MIPSEL64", None),
    ("SCMP_ARCH_MIPSEL64N32", None),
    ("SCMP_ARCH_PARISC", None),
    ("SCMP_ARCH_PARISC64", None),
    ("SCMP_ARCH_PPC", None),
    ("SCMP_ARCH_PPC64", None),
    ("SCMP_ARCH_PPC64LE", None),
    ("SCMP_ARCH_RISCV64", None),
    ("SCMP_ARCH_S390", None),
    ("SCMP_ARCH_S390X", None),
    ("SCMP_ARCH_SH", None),
    ("SCMP_ARCH_SHEB", None),
    ("SCMP_ARCH_X32", Some(Arch::X32)),
    ("SCMP_ARCH_X86", Some(Arch::X86)),
    ("SCMP_ARCH_X86_64", Some(Arch::X86_64)),
];

/// The bit that tells an x32 number from an x86_64 one (asm/unistd.h).
pub const X32_BIT: u32 = 0x4000_0000;

// linux/audit.h: little-endian, and 64 bits wide.
const LITTLE_ENDIAN: u32 = 0x4000_0000;
const WIDE: u32 = 0x8000_0000 | LITTLE_ENDIAN;

impl Arch {
    /// The one that this program was built for.
    pub const NATIVE: Arch = match step08::arch::Arch::NATIVE {
        step08::arch::Arch::X86_64 => Arch::X86_64,
        step08::arch::Arch::Aarch64 => Arch::Aarch64,
        step08::arch::Arch::I386 => Arch::X86,
    };

    /// What `seccomp_data.arch` holds for its calls. x32's is x86_64's.
    pub const fn audit(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => EM_X86_64 as u32 | WIDE,
            Arch::X86 => EM_386 as u32 | LITTLE_ENDIAN,
            Arch::Aarch64 => EM_AARCH64 as u32 | WIDE,
            Arch::Arm => EM_ARM as u32 | LITTLE_ENDIAN,
        }
    }

    /// Are its arguments 64 bits wide? Of an x32 call the kernel uses 32.
    pub const fn is_wide(self) -> bool {
        matches!(self, Arch::X86_64 | Arch::Aarch64)
    }

    /// Can a kernel of this architecture be asked in `other`?
    const fn answers(self, other: Arch) -> bool {
        use Arch::{Aarch64, Arm, X32, X86, X86_64};
        match self {
            X86_64 => matches!(other, X86_64 | X86 | X32),
            Aarch64 => matches!(other, Aarch64 | Arm),
            X86 => matches!(other, X86),
            X32 | Arm => false,
        }
    }
}

/// The architectures of the filter: the machine's own, which is always in it,
/// and of those named here the ones in which its kernel can be asked.
///
/// # Errors
/// A name that is none of [`NAMES`].
pub fn chosen(names: &[String], native: Arch) -> Result<Vec<Arch>> {
    let mut chosen = vec![native];
    for (index, name) in names.iter().enumerate() {
        match NAMES.iter().find(|known| known.0 == name) {
            Some((_, Some(arch))) if native.answers(*arch) => {
                if !chosen.contains(arch) {
                    chosen.push(*arch);
                }
            }
            Some(_) => {}
            None => bail!(
                "linux.seccomp.architectures[{index}]: no such architecture: \
                 {name:?}"
            ),
        }
    }
    Ok(chosen)
}

/// The numbers of one architecture's calls.
pub struct Numbers {
    arch: Arch,
    table: HashMap<&'static str, u32>,
}

/// From here on a new call has one number everywhere.
const UNIFIED: u32 = 424;

impl Numbers {
    /// Those of `arch`.
    pub fn of(arch: Arch) -> Numbers {
        use step08::arch::Arch::{Aarch64, I386, X86_64};
        let table = match arch {
            Arch::X86_64 | Arch::X32 => X86_64.calls(),
            Arch::X86 => I386.calls(),
            Arch::Aarch64 | Arch::Arm => Aarch64.calls(),
        };
        let table = table.iter().copied();
        // Of a relative's table only the newest calls are the same.
        let is_its = |call: &(_, u32)| call.1 >= UNIFIED || arch != Arch::Arm;
        Numbers { arch, table: table.filter(is_its).collect() }
    }

    /// Whose they are.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The number of the call `name`, or `None` where it has no such call.
    pub fn number(&self, name: &str) -> Option<u32> {
        let same = self.table.get(name).copied();
        match self.arch {
            Arch::X86_64 | Arch::X86 | Arch::Aarch64 => same,
            Arch::X32 => Some(x32(name, same?)? | X32_BIT),
            Arch::Arm => arm(name).or(same),
        }
    }
}

fn arm(name: &str) -> Option<u32> {
    let own = ARM_ONLY.iter().find(|call| call.0 == name);
    own.map(|call| call.1).or_else(|| {
        Some(name.parse::<syscalls::arm::Sysno>().ok()?.id() as u32)
    })
}

/// Calls of 32-bit ARM that manage the processor: asm/unistd.h, `__ARM_NR_*`.
const ARM_ONLY: [(&str, u32); 6] = [
    ("breakpoint", 0xf_0001),
    ("cacheflush", 0xf_0002),
    ("usr26", 0xf_0003),
    ("usr32", 0xf_0004),
    ("set_tls", 0xf_0005),
    ("get_tls", 0xf_0006),
];

/// x86_64's number, but for what x32 never had and what it counts anew. The
/// table is the kernel's (arch/x86/entry/syscalls/syscall_64.tbl).
fn x32(name: &str, x86_64: u32) -> Option<u32> {
    if X32_LACKS.contains(&name) {
        return None;
    }
    let own = X32_OWN.iter().position(|own| *own == name);
    Some(own.map_or(x86_64, |place| 512 + place as u32))
}

/// Marked `64` in the kernel's table, with no x32 twin.
const X32_LACKS: [&str; 11] = [
    "uselib",
    "_sysctl",
    "create_module",
    "get_kernel_syms",
    "query_module",
    "nfsservctl",
    "set_thread_area",
    "get_thread_area",
    "epoll_ctl_old",
    "epoll_wait_old",
    "vserver",
];

/// What takes pointers or longs inside structures, from 512 on.
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_numbers_are_those_of_step08() {
        let numbers = Numbers::of(Arch::NATIVE);
        for (name, number) in step08::arch::known() {
            assert_eq!(numbers.number(name), Some(number), "{name}");
        }
        assert_eq!(numbers.number("no_such_call"), None);
    }

    /// Against the kernel's own headers: asm/unistd_32.h, unistd_x32.h, and
    /// for ARM arch/arm/tools/syscall.tbl and asm-generic/unistd.h.
    #[test]
    fn foreign_numbers_are_those_of_the_kernel() {
        let cases = [
            (Arch::X86_64, "execve", Some(59)),
            (Arch::X86_64, "fchown32", None),
            (Arch::X86_64, "rseq_slice_yield", Some(471)),
            (Arch::X86, "execve", Some(11)),
            (Arch::X86, "break", Some(17)),
            (Arch::X86, "socketcall", Some(102)),
            (Arch::X86, "futex_time64", Some(422)),
            (Arch::X86, "clone3", Some(435)),
            (Arch::X86, "listns", Some(470)),
            (Arch::X32, "read", Some(X32_BIT)),
            (Arch::X32, "execve", Some(X32_BIT + 520)),
            (Arch::X32, "rt_sigaction", Some(X32_BIT + 512)),
            (Arch::X32, "pwritev2", Some(X32_BIT + 547)),
            (Arch::X32, "uselib", None),
            (Arch::X32, "listns", Some(X32_BIT + 470)),
            (Arch::Aarch64, "execve", Some(221)),
            (Arch::Aarch64, "newfstatat", Some(79)),
            (Arch::Aarch64, "open", None),
            (Arch::Aarch64, "futex_time64", None),
            (Arch::Arm, "execve", Some(11)),
            (Arch::Arm, "set_tls", Some(0xf_0005)),
            (Arch::Arm, "futex_time64", Some(422)),
        ];
        for (arch, name, number) in cases {
            assert_eq!(Numbers::of(arch).number(name), number, "{name}");
        }
    }

    /// linux/audit.h.
    #[test]
    fn audit_numbers() {
        let all = [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64];
        let right = [0xC000_003E, 0xC000_003E, 0x4000_0003, 0xC000_00B7];
        assert_eq!(all.map(Arch::audit), right);
        assert_eq!(Arch::Arm.audit(), 0x4000_0028);
        assert_eq!(Arch::NATIVE.audit(), step08::arch::AUDIT_ARCH);
    }

    #[test]
    fn only_what_the_kernel_can_be_asked_in() {
        let names = |list: &[&str]| -> Vec<String> {
            list.iter().map(|name| (*name).to_owned()).collect()
        };
        let all = names(&NAMES.map(|known| known.0));
        let x86 = chosen(&all, Arch::X86_64).unwrap();
        assert_eq!(x86, [Arch::X86_64, Arch::X32, Arch::X86]);
        let arm = chosen(&all, Arch::Aarch64).unwrap();
        assert_eq!(arm, [Arch::Aarch64, Arch::Arm]);
        // A kernel of 32 bits answers no other.
        assert_eq!(chosen(&all, Arch::X86).unwrap(), [Arch::X86]);
        assert_eq!(chosen(&[], Arch::X86_64).unwrap(), [Arch::X86_64]);
        let error = chosen(&names(&["SCMP_ARCH_X86", "x"]), Arch::X86_64);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("architectures[1]"), "{error}");
    }
}
