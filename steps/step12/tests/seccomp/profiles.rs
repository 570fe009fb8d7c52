//! Random profiles that are always the same ones: each has a seed.

use super::random::Random;
use serde_json::{Value, json};
use step12::config::seccomp::Seccomp;
use step12::seccomp::words::{ACTIONS, OPERATORS};

/// Values at which comparisons of two halves go wrong.
pub const VALUES: [u64; 12] = [
    0,
    1,
    2,
    40,
    0x7e02_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x2_0000_0000,
    0xffff_ffff_0000_0000,
    u64::MAX,
];

/// What a profile names: calls next to each other, of one architecture only,
/// of all, of none, old and new.
pub const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "close",
    "openat",
    "personality",
    "clone",
    "clone3",
    "mmap2",
    "waitpid",
    "futex",
    "futex_time64",
    "ioctl",
    "execve",
    "rt_sigaction",
    "kill",
    "getpid",
    "ptrace",
    "mount",
    "umount2",
    "mseal",
    "no_such_call",
    "fchown32",
    "uselib",
];

pub const ARCHITECTURES: [&str; 6] = [
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_RISCV64",
];

fn action(random: &mut Random) -> (Value, Value) {
    let (name, _) = ACTIONS[random.below(ACTIONS.len())];
    let has_errno = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(&name);
    let errno = if has_errno && random.below(2) == 0 {
        json!(random.below(40))
    } else {
        Value::Null
    };
    (json!(name), errno)
}

fn argument(random: &mut Random) -> Value {
    json!({
        "index": random.below(3),
        "value": VALUES[random.below(VALUES.len())],
        "valueTwo": VALUES[random.below(VALUES.len())],
        "op": OPERATORS[random.below(OPERATORS.len())].0,
    })
}

fn some<'a>(
    random: &mut Random,
    list: &[&'a str],
    most: usize,
) -> Vec<&'a str> {
    (0..random.below(most + 1)).map(|_| random.one(list)).collect()
}

/// A profile that is right in form. It may still contradict itself.
pub fn profile(seed: u64) -> Seccomp {
    let random = &mut Random::new(seed);
    let (default, errno) = loop {
        let chosen = action(random);
        if chosen.0 != "SCMP_ACT_NOTIFY" {
            break chosen;
        }
    };
    let syscalls: Vec<Value> = (0..random.below(9))
        .map(|_| {
            let (action, errno) = action(random);
            let mut names = some(random, &NAMES, 6);
            names.push(random.one(&NAMES));
            if action == "SCMP_ACT_NOTIFY" {
                names.retain(|name| *name != "write");
                names.push("kill");
            }
            let count = [0, 0, 1, 1, 2, 3][random.below(6)];
            let args: Vec<_> = (0..count).map(|_| argument(random)).collect();
            json!({ "names": names, "action": action, "errnoRet": errno,
                "args": args })
        })
        .collect();
    let profile = json!({
        "defaultAction": default, "defaultErrnoRet": errno,
        "architectures": some(random, &ARCHITECTURES, 4),
        "listenerPath": "/run/agent", "syscalls": syscalls,
    });
    serde_json::from_value(profile).unwrap()
}

/// Calls worth trying under a profile of these names: each of them and its
/// neighbours, with arguments at the edges.
pub fn arguments(random: &mut Random) -> [u64; 6] {
    let mut one = |_| {
        let near = [0, 1, u64::MAX][random.below(3)];
        VALUES[random.below(VALUES.len())].wrapping_add(near)
    };
    [0, 1, 2, 3, 4, 5].map(&mut one)
}
