//! The tables of all three architectures, on whichever of them this runs: are
//! the numbers the kernel's, and does the policy forbid the same everywhere?
//!
//! A mistake in a foreign table is seen here, and not only on that machine.

mod machine;

use std::collections::HashMap;
use std::fs;

use machine::{Said, run};
use step08::arch::{AUDIT_ARCH, Arch, Call};
use step08::calls::Calls;
use step08::seccomp;

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// A policy in the numbers of one architecture. The program is made for this
/// machine, and only its numbers are that one's.
struct Filter {
    arch: Arch,
    numbers: HashMap<&'static str, u32>,
    program: Vec<libc::sock_filter>,
}

impl Filter {
    fn new(arch: Arch, policy: &Calls) -> Filter {
        let numbers = arch.calls().iter().copied().collect();
        Filter { arch, numbers, program: seccomp::program(policy) }
    }

    fn of(arch: Arch) -> Filter {
        Filter::new(arch, &Calls::of(arch))
    }

    /// `None`: there is no such call.
    fn answer(&self, name: &str, args: [u64; 3]) -> Option<u32> {
        let [one, two, three] = args;
        let args = [one, two, three, 0, 0, 0];
        let nr = *self.numbers.get(name)?;
        run(&self.program, &Said { nr, arch: AUDIT_ARCH, args })
    }
}

/// Arguments that some check looks at: none, namespaces, families of sockets,
/// requests of terminals, personalities.
fn arguments() -> Vec<[u64; 3]> {
    let mut all = vec![[0; 3]];
    all.extend([17, 25, 26, 28, 29, 30].map(|bit| [1 << bit, 0, 0]));
    for family in 0..46 {
        let protocols = [0, 6, 9, 12, 15, 132, 262];
        all.extend(protocols.map(|protocol| [family, 2, protocol]));
    }
    all.extend([0x5401, 0x5412, 0x541C].map(|request| [0, request, 0]));
    all.extend([8, 0x4_0000, 0xffff_ffff].map(|persona| [persona, 0, 0]));
    all
}

/// Where `filter` says something else than `right`, of what both have.
fn differences(right: &Filter, filter: &Filter) -> Vec<String> {
    let mut found = Vec::new();
    for &(name, _) in right.arch.calls() {
        for args in arguments() {
            let (one, other) =
                (right.answer(name, args), filter.answer(name, args));
            if other.is_some() && one != other {
                found.push(format!("{:?}: {name} {args:x?}", filter.arch));
                break;
            }
        }
    }
    found
}

#[test]
fn what_one_architecture_forbids_all_do() {
    let x86_64 = Filter::of(Arch::X86_64);
    for arch in Arch::ALL {
        let other = Filter::of(arch);
        let found = differences(&x86_64, &other);
        assert!(found.is_empty(), "{found:#?}");
        // It was no empty comparison.
        let is_common = |call: &&Call| x86_64.numbers.contains_key(call.0);
        assert!(arch.calls().iter().filter(is_common).count() > 300);
        for refused in ["mount", "setns", "bpf", "keyctl", "init_module"] {
            assert_eq!(other.answer(refused, [0; 3]), Some(EPERM));
        }
        assert_eq!(other.answer("clone3", [0; 3]), Some(ENOSYS));
        assert_eq!(other.answer("read", [0; 3]), Some(ALLOW));
    }
}

/// The controls: one call too many in a foreign policy, one too few, and one
/// whose arguments are not looked at.
#[test]
fn a_difference_is_seen() {
    let x86_64 = Filter::of(Arch::X86_64);
    for arch in [Arch::Aarch64, Arch::I386] {
        let numbers = Filter::of(arch).numbers;
        let seen = |change: &dyn Fn(&mut Calls)| {
            let mut policy = Calls::of(arch);
            change(&mut policy);
            policy.ranges.sort_unstable();
            differences(&x86_64, &Filter::new(arch, &policy))
        };
        let mount = numbers["mount"];
        let found = seen(&|it| it.ranges.push((mount, mount)));
        assert!(found.iter().any(|text| text.contains("mount")), "{found:?}");
        let found = seen(&|it| it.absent.push(numbers["read"]));
        assert!(found.iter().any(|text| text.contains(" read ")), "{found:?}");
        let found = seen(&|it| it.checked.clear());
        assert!(found.iter().any(|text| text.contains("clone")), "{found:?}");
    }
}

/// The calls that only i386 has are the same calls in another width, and get
/// the same answer. Those that are not have a decision each.
#[test]
fn a_wider_call_is_answered_like_the_other() {
    let i386 = Filter::of(Arch::I386);
    let others = [Filter::of(Arch::X86_64), Filter::of(Arch::Aarch64)];
    let is_known = |name: &str| {
        others.iter().any(|filter| filter.numbers.contains_key(name))
    };
    let narrow = |name: &'static str| {
        ["_time64", "_64", "64", "32"]
            .into_iter()
            .filter_map(|ending| name.strip_suffix(ending))
            .find(|name| i386.numbers.contains_key(name))
    };
    let mut alone = Vec::new();
    let mut wider = 0;
    for (name, _) in Arch::I386.calls() {
        match narrow(name) {
            _ if is_known(name) => {}
            Some(other) => {
                let [one, two] =
                    [*name, other].map(|it| i386.answer(it, [0; 3]));
                assert_eq!(one, two, "{name} and {other}");
                wider += 1;
            }
            None => alone.push((*name, i386.answer(name, [0; 3]).unwrap())),
        }
    }
    assert!(wider > 45, "{wider}");
    let is_allowed = |call: &&(_, u32)| call.1 == ALLOW;
    let mut allowed: Vec<&str> =
        alone.iter().filter(is_allowed).map(|call| call.0).collect();
    allowed.sort_unstable();
    let right = "_llseek _newselect fstatat64 ipc mmap2 nice \
                 semtimedop_time64 sigaction signal sigpending sigprocmask \
                 sigreturn sigsuspend socketcall ugetrlimit waitpid";
    assert_eq!(allowed.join(" "), right);
    // The old `umount`, and clocks that can be set.
    for refused in ["umount", "stime", "clock_settime64", "clock_adjtime64"] {
        assert_eq!(i386.answer(refused, [0; 3]), Some(EPERM), "{refused}");
    }
}

/// Its tables once more, from another source: the kernel's headers, where they
/// are installed. Those of a PC have both of its architectures, and the one
/// that younger architectures share is the same everywhere.
#[test]
fn the_numbers_are_those_of_the_kernels_headers() {
    let folders = [
        "/usr/include/x86_64-linux-gnu",
        "/usr/include/i386-linux-gnu",
        "/usr/include",
    ];
    for (arch, file) in [
        (Arch::X86_64, "asm/unistd_64.h"),
        (Arch::I386, "asm/unistd_32.h"),
        (Arch::Aarch64, "asm-generic/unistd.h"),
    ] {
        let mut paths = folders.iter().map(|it| format!("{it}/{file}"));
        let text = paths.find_map(|path| fs::read_to_string(path).ok());
        // On ARM a file of this name is another architecture's.
        let is_wrong = arch != Arch::Aarch64 && cfg!(target_arch = "aarch64");
        let Some(text) = text.filter(|_| !is_wrong) else {
            println!("skipped: this machine has no {file}");
            continue;
        };
        let numbers: HashMap<_, _> = arch.calls().iter().copied().collect();
        let mut count = 0;
        for (name, number) in defined(&text) {
            let Some(found) = numbers.get(name) else { continue };
            assert_eq!(*found, number, "{arch:?}: {name}");
            count += 1;
        }
        assert!(count > 300, "{arch:?}: {count} names");
    }
    // Control: it would be seen.
    assert_eq!(defined("#define __NR_read 4\n"), [("read", 4)]);
}

/// `#define __NR_name number`; `__NR3264_` where 32 bits have another name.
fn defined(text: &str) -> Vec<(&str, u32)> {
    text.lines().filter_map(one_defined).collect()
}

fn one_defined(line: &str) -> Option<(&str, u32)> {
    let mut words = line.strip_prefix("#define __NR")?.split_whitespace();
    let name = words.next()?;
    let name = name.strip_prefix("3264_").or(name.strip_prefix('_'))?;
    Some((name, words.next()?.parse().ok()?))
}
