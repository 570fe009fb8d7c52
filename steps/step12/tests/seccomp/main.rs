//! Is a filter what its profile says? Three times: in a BPF machine of our own
//! against a plain reading of the profile, in the kernel, and against
//! libseccomp, which the engines' profiles were tried with.

mod kernel;
mod library;
mod machine;
mod notify;
mod profiles;

#[allow(dead_code, reason = "each test takes what it needs")]
#[path = "../../../workshop/tests/fuzz/random.rs"]
mod random;

#[path = "../../../step08/tests/foreign/mod.rs"]
mod foreign;

use machine::{Said, run};
use random::Random;
use serde_json::{Value, json};
use step12::config::seccomp::{Argument, Seccomp};
use step12::seccomp::Filter;
use step12::seccomp::arch::{self, Arch, Numbers, X32_BIT};
use step12::seccomp::words::{ACTIONS, OPERATORS, Operator};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_THREAD;
const EPERM: u32 = errno(libc::EPERM);
const ENOSYS: u32 = errno(libc::ENOSYS);

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

fn profile(value: Value) -> Seccomp {
    serde_json::from_value(value).unwrap()
}

fn engine() -> Seccomp {
    serde_json::from_str(include_str!("engine.json")).unwrap()
}

/// What the profile says of a call, read rule by rule.
fn expected(profile: &Seccomp, numbers: &Numbers, said: &Said) -> u32 {
    let answer = |action: &str, errno: Option<u32>| {
        let known = ACTIONS.iter().find(|known| known.0 == action).unwrap();
        match action {
            "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE" => {
                known.1 | errno.unwrap_or(libc::EPERM as u32)
            }
            _ => known.1,
        }
    };
    let default = answer(&profile.default_action, profile.default_errno_ret);
    let arch = numbers.arch();
    let mut newest = None;
    let mut conditional = None;
    let mut always = None;
    for rule in &profile.syscalls {
        let known: Vec<_> = rule
            .names
            .iter()
            .filter_map(|name| numbers.number(name))
            .collect();
        newest = newest.max(known.iter().copied().max());
        let action = answer(&rule.action, rule.errno_ret);
        if !known.contains(&said.number) || action == default {
            continue;
        }
        // A condition that asks for no bit is none.
        let asks = |argument: &&Argument| match &*argument.op {
            "SCMP_CMP_MASKED_EQ" if arch.is_wide() => argument.value != 0,
            "SCMP_CMP_MASKED_EQ" => argument.value as u32 != 0,
            _ => true,
        };
        let twice = (0..6).any(|index| {
            rule.args.iter().filter(|other| other.index == index).count() > 1
        });
        let args: Vec<_> = rule.args.iter().filter(asks).collect();
        let all_asked = args.len() == rule.args.len();
        let holds = |argument: &&Argument| holds(argument, arch, said);
        if args.is_empty() || twice && !all_asked {
            always.get_or_insert(action);
        } else if twice && args.iter().any(holds)
            || !twice && args.iter().all(holds)
        {
            conditional.get_or_insert(action);
        }
    }
    let lets = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"];
    let is_newer = newest.is_some_and(|newest| said.number > newest)
        && !lets.contains(&&*profile.default_action);
    match always.or(conditional) {
        Some(action) => action,
        None if is_newer => ENOSYS,
        None => default,
    }
}

fn holds(argument: &Argument, arch: Arch, said: &Said) -> bool {
    let narrow = |value: u64| {
        if arch.is_wide() { value } else { value & 0xffff_ffff }
    };
    let left = narrow(said.args[argument.index as usize]);
    let (value, two) = (narrow(argument.value), narrow(argument.value_two));
    let operator = OPERATORS.iter().find(|known| known.0 == argument.op);
    match operator.unwrap().1 {
        Operator::Equal => left == value,
        Operator::NotEqual => left != value,
        Operator::Less => left < value,
        Operator::AtMost => left <= value,
        Operator::Greater => left > value,
        Operator::AtLeast => left >= value,
        Operator::MaskedEqual => left & value == two & value,
    }
}

/// Calls worth trying in `arch`: every name's number and its neighbours.
fn numbers_of(arch: Arch, profile: &Seccomp) -> Vec<u32> {
    let numbers = Numbers::of(arch);
    let base = if arch == Arch::X32 { X32_BIT } else { 0 };
    let names = profile.syscalls.iter().flat_map(|rule| &rule.names);
    let mut all: Vec<u32> = names
        .filter_map(|name| numbers.number(name))
        .flat_map(|number| [number.wrapping_sub(1), number, number + 1])
        .chain([base, base + 472, base + 600, base + 0x3fff_fffe])
        .filter(|&number| {
            let is_x32 = number & X32_BIT != 0;
            number != u32::MAX && is_x32 == (arch == Arch::X32)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Compares the filter with the profile; the count of calls that it tried.
fn compare(profile: &Seccomp, native: Arch, seed: u64) -> usize {
    let filter = match Filter::build_for(profile, native) {
        Ok(filter) => filter.unwrap(),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("same conditions"), "{seed}: {text}");
            return 0;
        }
    };
    let random = &mut Random::new(seed);
    let mut count = 0;
    let chosen = arch::chosen(&profile.architectures, native).unwrap();
    for &arch in &chosen {
        let numbers = Numbers::of(arch);
        for number in numbers_of(arch, profile) {
            for _ in 0..8 {
                let args = profiles::arguments(random);
                let said = Said { arch: arch.audit(), number, args };
                // The operations of socketcall and ipc: see below.
                let found = run(filter.program(), &said);
                let right = expected(profile, &numbers, &said);
                assert_eq!(
                    found, right,
                    "seed {seed}: {arch:?} {said:x?} {profile:#?}"
                );
                count += 1;
            }
        }
    }
    // Nothing else is let through.
    let mut foreign =
        [0, 0x4000_0003, 0x4000_0028, 0xC000_00B7, 0xC000_003E].to_vec();
    foreign.retain(|it| chosen.iter().all(|arch| arch.audit() != *it));
    for arch in foreign {
        let said = Said { arch, number: 0, args: [0; 6] };
        assert_eq!(run(filter.program(), &said), KILL);
    }
    if native == Arch::X86_64 && !chosen.contains(&Arch::X32) {
        let arch = native.audit();
        let said = Said { arch, number: X32_BIT + 1, args: [0; 6] };
        assert_eq!(run(filter.program(), &said), KILL);
    }
    count
}

#[test]
fn a_random_profile_does_as_it_says() {
    let mut count = 0;
    for seed in 1..400 {
        for native in [Arch::X86_64, Arch::Aarch64] {
            count += compare(&profiles::profile(seed), native, seed);
        }
    }
    // Control: it was no empty comparison.
    assert!(count > 100_000, "{count}");
}

#[test]
fn the_profile_of_an_engine_does_as_it_says() {
    for native in [Arch::X86_64, Arch::Aarch64] {
        assert!(compare_engine(native) > 2000);
    }
}

/// But for x86's socketcall and ipc, which this plain reading does not know.
fn compare_engine(native: Arch) -> usize {
    let mut profile = engine();
    profile.architectures.retain(|name| name != "SCMP_ARCH_X86");
    compare(&profile, native, 1)
}

/// By hand, and not by the same reading.
#[test]
fn what_an_engine_lets_through() {
    let filter = Filter::build_for(&engine(), Arch::X86_64).unwrap().unwrap();
    let aarch64 =
        Filter::build_for(&engine(), Arch::Aarch64).unwrap().unwrap();
    let (x86_64, x86) = (Arch::X86_64.audit(), Arch::X86.audit());
    let x32 = X32_BIT;
    let cases = [
        (&filter, x86_64, 0, 0, ALLOW, "read"),
        (&filter, x86_64, 165, 0, EPERM, "mount"),
        (&filter, x86_64, 435, 0, ENOSYS, "clone3"),
        (&filter, x86_64, 56, 17, ALLOW, "clone, SIGCHLD"),
        (&filter, x86_64, 56, 0x1000_0000, EPERM, "clone, NEWUSER"),
        (&filter, x86_64, 41, 1, ALLOW, "socket, AF_UNIX"),
        (&filter, x86_64, 41, 40, EPERM, "socket, AF_VSOCK"),
        (&filter, x86_64, 135, 0xffff_ffff, ALLOW, "personality, ask"),
        (&filter, x86_64, 135, 1 << 32, EPERM, "personality, upper half"),
        (&filter, x86_64, 470, 0, ENOSYS, "listns, which is newer"),
        (&filter, x86_64, 448, 0, ALLOW, "process_mrelease"),
        (&filter, x86_64, u32::MAX, 0, ENOSYS, "-1"),
        (&filter, x86_64, x32, 0, ALLOW, "x32: read"),
        (&filter, x86_64, x32 + 165, 0, EPERM, "x32: mount"),
        (&filter, x86_64, x32 + 520, 0, ALLOW, "x32: execve"),
        (&filter, x86_64, x32 + 59, 0, EPERM, "x32: no execve here"),
        (&filter, x86_64, x32 + 548, 0, ENOSYS, "x32: newer"),
        (&filter, x86, 3, 0, ALLOW, "x86: read"),
        (&filter, x86, 21, 0, EPERM, "x86: mount"),
        (&filter, x86, 359, 40, EPERM, "x86: socket, AF_VSOCK"),
        (&filter, x86, 102, 8, ALLOW, "x86: socketcall, socketpair"),
        (&filter, x86, 102, 30, EPERM, "x86: socketcall, no operation"),
        (&filter, x86, 117, 99, ALLOW, "x86: ipc, allowed as a whole"),
        (&filter, 0xC000_00B7, 63, 0, KILL, "aarch64, on x86_64"),
        (&aarch64, 0xC000_00B7, 63, 0, ALLOW, "aarch64: read"),
        (&aarch64, 0xC000_00B7, 79, 0, ALLOW, "aarch64: newfstatat"),
        (&aarch64, 0xC000_00B7, 40, 0, EPERM, "aarch64: mount"),
        (&aarch64, 0x4000_0028, 3, 0, ALLOW, "arm: read"),
        (&aarch64, 0x4000_0028, 0xf_0005, 0, ALLOW, "arm: set_tls"),
        (&aarch64, 0x4000_0028, 21, 0, EPERM, "arm: mount"),
        (&aarch64, x86_64, 0, 0, KILL, "x86_64, on aarch64"),
    ];
    for (filter, arch, number, first, answer, what) in cases {
        let args = [first, 0, 0, 0, 0, 0];
        let said = Said { arch, number, args };
        assert_eq!(run(filter.program(), &said), answer, "{what}");
    }
    // A learner of step08 may compare: it is no longer than it must be.
    let length = filter.program().len();
    assert!(length < 800, "{length}");
}

/// Every call in turn gets another answer, so that nothing can be merged: the
/// way from one end of the program to the other is longer than a jump.
#[test]
fn a_long_profile() {
    let calls: Vec<&str> = step08::arch::known().map(|call| call.0).collect();
    let one = |(index, name): (usize, &&str)| {
        json!({ "names": [name], "action": "SCMP_ACT_ERRNO",
            "errnoRet": index + 1,
            "args": [{ "index": index % 6, "value": index, "valueTwo": 0,
                "op": "SCMP_CMP_GE" }] })
    };
    let syscalls: Vec<_> = calls.iter().enumerate().map(one).collect();
    let long = json!({ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": syscalls });
    let filter = Filter::build(&profile(long)).unwrap().unwrap();
    assert!(filter.program().len() > 5 * 255);
    for (index, name) in calls.iter().enumerate() {
        let number = step08::arch::number(name).unwrap();
        let arch = step08::arch::AUDIT_ARCH;
        let mut args = [0; 6];
        let said = Said { arch, number, args };
        let at_zero = if index == 0 { errno(1) } else { ALLOW };
        assert_eq!(run(filter.program(), &said), at_zero, "{name}");
        args[index % 6] = index as u64;
        let said = Said { arch, number, args };
        assert_eq!(run(filter.program(), &said), errno(index as i32 + 1));
    }
}

/// A rule with one wrong word, and the field that the error has to name.
#[test]
fn an_error_names_the_field() {
    let rule = |changes: Value| {
        let mut rule = json!({ "names": ["read"],
            "action": "SCMP_ACT_ERRNO" });
        let all = changes.as_object().unwrap().clone();
        rule.as_object_mut().unwrap().extend(all);
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/a",
            "syscalls": [{ "names": ["write"], "action": "SCMP_ACT_LOG" },
                rule] })
    };
    let argument = |index: u32, op: &str| {
        rule(json!({ "args": [{ "index": index, "value": 1, "op": op }] }))
    };
    let one = |field: &str, value: Value| {
        let mut all = rule(json!({}));
        all[field] = value;
        all
    };
    let at_one = |rest: &str| format!("linux.seccomp.syscalls[1]{rest}: ");
    let cases = [
        (one("defaultAction", json!("X")), "linux.seccomp.defaultAction: "),
        (one("defaultAction", json!("")), "linux.seccomp.defaultAction: "),
        (
            one("defaultAction", json!("SCMP_ACT_NOTIFY")),
            "linux.seccomp.defaultAction: ",
        ),
        (one("defaultErrnoRet", json!(2)), "linux.seccomp.defaultErrnoRet: "),
        (
            one("architectures", json!(["SCMP_ARCH_X86", "SCMP_ARCH_PDP11"])),
            "linux.seccomp.architectures[1]: ",
        ),
        (one("flags", json!(["X"])), "linux.seccomp.flags[0]: "),
        (
            one("flags", json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])),
            "linux.seccomp.flags: ",
        ),
        (
            one(
                "syscalls",
                json!([{ "names": ["kill"],
                "action": "SCMP_ACT_NOTIFY" }]),
            ),
            "",
        ),
        (rule(json!({ "names": [] })), &at_one(".names")),
        (rule(json!({ "names": ["a", ""] })), &at_one(".names[1]")),
        (rule(json!({ "action": "SCMP_ACT_MAYBE" })), &at_one(".action")),
        (rule(json!({ "action": "" })), &at_one(".action")),
        (rule(json!({ "errnoRet": 4096 })), &at_one(".errnoRet")),
        (
            rule(json!({ "action": "SCMP_ACT_KILL", "errnoRet": 1 })),
            &at_one(".errnoRet"),
        ),
        (
            rule(json!({ "names": ["read", "write"],
                "action": "SCMP_ACT_NOTIFY" })),
            &at_one(""),
        ),
        (argument(6, "SCMP_CMP_EQ"), &at_one(".args[0].index")),
        (argument(u32::MAX, "SCMP_CMP_EQ"), &at_one(".args[0].index")),
        (argument(0, "SCMP_CMP_LIKE"), &at_one(".args[0].op")),
        (argument(0, ""), &at_one(".args[0].op")),
    ];
    for (value, field) in &cases {
        let answer = Filter::build(&profile(value.clone()));
        if field.is_empty() {
            assert!(answer.unwrap().unwrap().notifies(), "{value}");
            continue;
        }
        let error = answer.map(drop).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}\nwants {field}");
    }
    // Control: nothing was wrong before the change.
    for right in [rule(json!({})), argument(5, "SCMP_CMP_EQ")] {
        assert!(Filter::build(&profile(right)).unwrap().is_some());
    }
}

#[test]
fn a_listener_needs_a_path() {
    let notify = |path: &str, metadata: &str| {
        Filter::build(&profile(json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
            "listenerMetadata": metadata, "syscalls": [{ "names": ["mkdir"],
                "action": "SCMP_ACT_NOTIFY" }],
        })))
    };
    assert!(notify("/run/agent", "me").unwrap().unwrap().notifies());
    let error = notify("", "").unwrap_err().to_string();
    assert!(error.starts_with("linux.seccomp.listenerPath: "), "{error}");
    let error = notify("", "me").unwrap_err().to_string();
    assert!(error.starts_with("linux.seccomp.listenerMetadata: "), "{error}");
}

#[test]
fn two_answers_to_the_same_are_refused() {
    let twice = |second: &str, value: u64| {
        let rule = |action: &str, value| {
            json!({ "names": ["kill"], "action": action, "args": [{ "index": 1,
                "value": value, "op": "SCMP_CMP_EQ" }] })
        };
        Filter::build(&profile(json!({ "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [rule("SCMP_ACT_ERRNO", 9), rule(second, value)] })))
    };
    let error = twice("SCMP_ACT_TRAP", 9).unwrap_err().to_string();
    assert!(error.starts_with("linux.seccomp.syscalls[1]: "), "{error}");
    for (action, value) in [
        ("SCMP_ACT_ERRNO", 9),
        ("SCMP_ACT_TRAP", 8),
        // As the default: no rule at all.
        ("SCMP_ACT_ALLOW", 9),
    ] {
        assert!(twice(action, value).unwrap().is_some(), "{action} {value}");
    }
}

#[test]
fn too_long_is_said_before_the_kernel_says_it() {
    let one = |(index, name): (usize, &str)| {
        let args: Vec<_> = (0..6)
            .map(|place| {
                json!({ "index": place, "value": index as u64 + 1,
                "op": "SCMP_CMP_LT" })
            })
            .collect();
        json!({ "names": [name], "action": "SCMP_ACT_TRAP", "args": args })
    };
    let names = step08::arch::known().map(|call| call.0);
    let syscalls: Vec<_> = names.enumerate().map(one).collect();
    let long = json!({ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": syscalls });
    let error = Filter::build(&profile(long)).unwrap_err().to_string();
    assert!(error.starts_with("linux.seccomp.syscalls: "), "{error}");
    assert!(error.contains("4096"), "{error}");
}

#[test]
fn a_profile_that_says_nothing_is_no_filter() {
    assert!(Filter::build(&Seccomp::default()).unwrap().is_none());
    let allow = profile(json!({ "defaultAction": "SCMP_ACT_ALLOW" }));
    assert!(Filter::build(&allow).unwrap().is_some());
}
