//! The filter in the kernel: a child of ours makes the calls.

use crate::{engine, profile};
use libc::c_long;
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use serde_json::{Value, json};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use step12::config::seccomp::Seccomp;
use step12::seccomp::Filter;

const PROBE: &str = "STEP12_PROBE";

pub fn as_io_error(error: anyhow::Error) -> io::Error {
    let errno = error.downcast_ref::<Errno>().copied();
    io::Error::from_raw_os_error(errno.unwrap_or(Errno::EIO) as i32)
}

/// A command that runs the test `child` below, which tries `what`.
pub fn probe(what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kernel::child", "--nocapture"]);
    command.env(PROBE, what);
    command
}

/// `command` under the filter of `profile`, put on between fork and exec.
fn under(profile: &Seccomp, mut command: Command) -> Command {
    let filter = Filter::build(profile).unwrap().unwrap();
    let put_on = move || {
        step10::privileges::forbid_new_privileges().map_err(as_io_error)?;
        filter.install().map(drop).map_err(as_io_error)
    };
    // SAFETY: the closure runs in a forked child, where another thread may
    // have held malloc's lock: it makes two system calls on memory that was
    // allocated before, and allocates only to report its own failure.
    unsafe { command.pre_exec(put_on) };
    command
}

/// Not a test of its own: what the other tests run under the filter.
///
/// The call is made by a process of its own with one thread: where that thread
/// is killed, all of it ends.
#[test]
fn child() {
    let Ok(what) = std::env::var(PROBE) else { return };
    // SAFETY: the other threads of this process wait, and hold no lock.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            println!("answer:{}", make(&what));
            // SAFETY: it ends at once, and runs nothing of the test's.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            if let WaitStatus::Signaled(_, signal, _) =
                waitpid(child, None).unwrap()
            {
                println!("signal:{}", signal as i32);
            }
        }
    }
}

fn make(what: &str) -> c_long {
    match what {
        "int80" => crate::foreign::getpid(),
        "rmdir" => {
            let line = &mut String::new();
            io::stdin().read_line(line).unwrap();
            let path = std::ffi::CString::new(line.trim_end()).unwrap();
            // SAFETY: a string that ends in zero, and lives until it returns.
            let answer = unsafe { libc::rmdir(path.as_ptr()) };
            if answer == -1 { -(Errno::last_raw() as c_long) } else { 0 }
        }
        what => {
            let said: Vec<c_long> = what
                .split(',')
                .map(|number| number.parse().unwrap())
                .collect();
            raw(said[0], [said[1], said[2], said[3]])
        }
    }
}

/// What the kernel returns: a negative errno where the call failed.
fn raw(number: c_long, [a, b, c]: [c_long; 3]) -> c_long {
    // SAFETY: only called as below: getppid, personality, kill, and numbers
    // that do not exist, none of which touches memory.
    let result = unsafe { libc::syscall(number, a, b, c, 0, 0, 0) };
    if result == -1 { -(Errno::last_raw() as c_long) } else { result }
}

/// The number after `word` in what the child printed.
fn number_after(word: &str, output: &Output) -> Option<c_long> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(word).nth(1)?.split_whitespace().next()?.parse().ok()
}

/// What the call answered, or the signal that ended its process.
fn answer_of(output: &Output) -> Result<c_long, c_long> {
    match number_after("signal:", output) {
        Some(signal) => Err(signal),
        None => Ok(number_after("answer:", output).unwrap_or_else(|| {
            panic!("{output:?}");
        })),
    }
}

/// What `getppid(first, 0, 0)` answers under this profile: it takes no
/// argument, so that any may be tried.
fn getppid(profile: &Seccomp, first: u64) -> Result<c_long, c_long> {
    let what = format!("{},{},0,0", libc::SYS_getppid, first as c_long);
    answer_of(&under(profile, probe(&what)).output().unwrap())
}

fn one_rule(rule: Value) -> Seccomp {
    let mut all = json!({ "names": ["getppid"] });
    all.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    profile(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [all] }))
}

#[test]
fn each_action_does_what_it_says() {
    let errno = |number: i32| Ok(-c_long::from(number));
    let killed = Err(c_long::from(libc::SIGSYS));
    let cases = [
        (json!({ "action": "SCMP_ACT_ERRNO" }), errno(libc::EPERM)),
        (json!({ "action": "SCMP_ACT_ERRNO", "errnoRet": 77 }), errno(77)),
        // No tracer is there: the call does not exist.
        (json!({ "action": "SCMP_ACT_TRACE" }), errno(libc::ENOSYS)),
        (json!({ "action": "SCMP_ACT_TRAP" }), killed),
        (json!({ "action": "SCMP_ACT_KILL_PROCESS" }), killed),
        (json!({ "action": "SCMP_ACT_KILL_THREAD" }), killed),
        (json!({ "action": "SCMP_ACT_KILL" }), killed),
    ];
    for (rule, right) in cases {
        let found = getppid(&one_rule(rule.clone()), 0);
        assert_eq!(found, right, "{rule}");
    }
    for action in ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"] {
        let found = getppid(&one_rule(json!({ "action": action })), 0);
        assert!(found > Ok(0), "{action}: {found:?}");
    }
}

#[test]
fn all_bits_of_an_argument_count() {
    let asked = 0x1_0000_0005;
    let values = [0, 5, asked - 1, asked, asked + 1, 0x2_0000_0005, u64::MAX];
    type Holds = fn(u64, u64) -> bool;
    let operators: [(&str, Holds); 6] = [
        ("SCMP_CMP_EQ", |a, b| a == b),
        ("SCMP_CMP_NE", |a, b| a != b),
        ("SCMP_CMP_LT", |a, b| a < b),
        ("SCMP_CMP_LE", |a, b| a <= b),
        ("SCMP_CMP_GT", |a, b| a > b),
        ("SCMP_CMP_GE", |a, b| a >= b),
    ];
    for (op, holds) in operators {
        let argument = json!({ "index": 0, "value": asked, "op": op });
        let filter = one_rule(json!({ "action": "SCMP_ACT_ERRNO",
            "args": [argument] }));
        for value in values {
            let is_refused = getppid(&filter, value) == Ok(-1);
            assert_eq!(is_refused, holds(value, asked), "{value:#x} {op}");
        }
    }
}

#[test]
fn the_profile_of_an_engine_lets_programs_run() {
    let mut shell = witness::command("sh");
    shell.args(["-c", "echo one | cat && ls / >/dev/null && exec id -u"]);
    let output = under(&engine(), shell).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let try_one = |number: c_long, args: [c_long; 3]| {
        let [a, b, c] = args;
        let what = format!("{number},{a},{b},{c}");
        answer_of(&under(&engine(), probe(&what)).output().unwrap())
    };
    // Refused, allowed by its argument, and newer than the profile.
    let refused = Ok(-c_long::from(libc::EPERM));
    assert_eq!(try_one(libc::SYS_personality, [1, 0, 0]), refused);
    assert!(
        try_one(libc::SYS_personality, [0xffff_ffff_u32 as c_long, 0, 0])
            >= Ok(0)
    );
    let absent = Ok(-c_long::from(libc::ENOSYS));
    assert_eq!(try_one(470, [-1, 0, 0]), absent);
    // Control: the same number under a profile that knows a newer one.
    let newer = json!({ "names": ["rseq_slice_yield"],
        "action": "SCMP_ACT_ALLOW" });
    let mut profile = engine();
    profile.syscalls.push(serde_json::from_value(newer).unwrap());
    let output = under(&profile, probe("470,-1,0,0")).output().unwrap();
    assert_eq!(answer_of(&output), refused);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_of_another_architecture() {
    let free = answer_of(&probe("int80").output().unwrap());
    let run = |architectures: &[&str], action: &str| {
        let filter = profile(json!({ "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": architectures, "syscalls": [
                { "names": ["getpid"], "action": action }] }));
        answer_of(&under(&filter, probe("int80")).output().unwrap())
    };
    if free.is_err() {
        println!("skipped: this kernel takes no 32-bit calls");
        return;
    }
    // Not in the profile: killed.
    let killed = Err(c_long::from(libc::SIGSYS));
    assert_eq!(run(&["SCMP_ARCH_X86_64"], "SCMP_ACT_LOG"), killed);
    let both = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"];
    assert_eq!(run(&both, "SCMP_ACT_ERRNO"), Ok(-1));
    let answer = run(&both, "SCMP_ACT_LOG");
    assert!(answer > Ok(1), "{answer:?}");
}

#[test]
fn flags_reach_the_kernel() {
    let with = |flags: Value| {
        let mut filter = one_rule(json!({ "action": "SCMP_ACT_ERRNO" }));
        filter.flags = serde_json::from_value(flags).unwrap();
        getppid(&filter, 0)
    };
    for flags in [
        Value::Null,
        json!([]),
        json!(["SECCOMP_FILTER_FLAG_LOG"]),
        json!([
            "SECCOMP_FILTER_FLAG_TSYNC",
            "SECCOMP_FILTER_FLAG_LOG",
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
        ]),
    ] {
        assert_eq!(with(flags), Ok(-1));
    }
}
