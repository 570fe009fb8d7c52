//! The same profiles through libseccomp, as runc hands them to it, where the
//! machine has the library. The two programs differ; their answers do not.

use crate::machine::{Said, run};
use crate::profiles;
use crate::random::Random;
use crate::{ENOSYS, engine, expected};
use libc::{c_char, c_int, c_uint, c_void, sock_filter};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::AsRawFd;
use step12::config::seccomp::{Argument, Seccomp, Syscall};
use step12::seccomp::Filter;
use step12::seccomp::arch::{self, Arch, Numbers, X32_BIT};
use step12::seccomp::words::ACTIONS;

/// `struct scmp_arg_cmp`.
#[repr(C)]
struct Compare {
    index: c_uint,
    operator: c_int,
    first: u64,
    second: u64,
}

type Context = *mut c_void;

/// The functions of libseccomp (seccomp.h) that are needed here.
struct Library {
    init: unsafe extern "C" fn(u32) -> Context,
    arch_add: unsafe extern "C" fn(Context, u32) -> c_int,
    rule_add: unsafe extern "C" fn(
        Context,
        u32,
        c_int,
        c_uint,
        *const Compare,
    ) -> c_int,
    resolve: unsafe extern "C" fn(*const c_char) -> c_int,
    export: unsafe extern "C" fn(Context, c_int) -> c_int,
    release: unsafe extern "C" fn(Context),
}

/// # Safety
/// `Function` is the type of the library's function of this name.
unsafe fn symbol<Function>(library: *mut c_void, name: &CStr) -> Function {
    // SAFETY: `library` is open, and `name` ends in zero.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    // SAFETY: a pointer to a function is as wide as any; the type is right by
    // the caller's promise.
    unsafe { std::mem::transmute_copy(&found) }
}

impl Library {
    fn open() -> Option<Library> {
        // SAFETY: a name that ends in zero; the library's own start-up code
        // does nothing.
        let it = unsafe {
            libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW)
        };
        if it.is_null() {
            return None;
        }
        // SAFETY: the types are those of seccomp.h, and have been since 2.4.
        unsafe {
            Some(Library {
                init: symbol(it, c"seccomp_init"),
                arch_add: symbol(it, c"seccomp_arch_add"),
                rule_add: symbol(it, c"seccomp_rule_add_array"),
                resolve: symbol(it, c"seccomp_syscall_resolve_name"),
                export: symbol(it, c"seccomp_export_bpf"),
                release: symbol(it, c"seccomp_release"),
            })
        }
    }

    fn number(&self, name: &str) -> Option<c_int> {
        let name = CString::new(name).unwrap();
        // SAFETY: a string that ends in zero.
        let number = unsafe { (self.resolve)(name.as_ptr()) };
        (number != -1).then_some(number)
    }

    /// The program of this profile, or `None` where the library refuses it.
    fn program(&self, profile: &Seccomp) -> Option<Vec<sock_filter>> {
        let default =
            action(&profile.default_action, profile.default_errno_ret);
        // SAFETY: each function gets the context that `init` made, and nothing
        // that it keeps.
        unsafe {
            let context = (self.init)(default);
            let program = self.fill(context, profile, default);
            (self.release)(context);
            program
        }
    }

    /// # Safety
    /// `context` is one of the library's own.
    unsafe fn fill(
        &self,
        context: Context,
        profile: &Seccomp,
        default: u32,
    ) -> Option<Vec<sock_filter>> {
        // SAFETY: as above, for all that follows.
        unsafe {
            let chosen = &profile.architectures;
            for arch in arch::chosen(chosen, Arch::NATIVE).unwrap() {
                let token = match arch {
                    Arch::X32 => 0x4000_003E,
                    arch => arch.audit(),
                };
                (self.arch_add)(context, token);
            }
            for rule in &profile.syscalls {
                let answer = action(&rule.action, rule.errno_ret);
                if answer == default {
                    continue;
                }
                for name in &rule.names {
                    let Some(number) = self.number(name) else { continue };
                    for args in split(rule) {
                        let count = args.len() as c_uint;
                        let args = args.as_ptr();
                        let add = self.rule_add;
                        if add(context, answer, number, count, args) != 0 {
                            return None;
                        }
                    }
                }
            }
            Some(self.exported(context))
        }
    }

    /// # Safety
    /// `context` is one of the library's own.
    unsafe fn exported(&self, context: Context) -> Vec<sock_filter> {
        let (mut reader, writer) = crate::notify::pipe();
        let reading = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        // SAFETY: an open descriptor, and the caller's promise.
        let answer = unsafe { (self.export)(context, writer.as_raw_fd()) };
        assert_eq!(answer, 0);
        drop(writer);
        let bytes = reading.join().unwrap();
        let one = |bytes: &[u8]| sock_filter {
            code: u16::from_ne_bytes(bytes[..2].try_into().unwrap()),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes(bytes[4..].try_into().unwrap()),
        };
        bytes.chunks_exact(8).map(one).collect()
    }
}

fn action(name: &str, errno: Option<u32>) -> u32 {
    let known = ACTIONS.iter().find(|known| known.0 == name).unwrap();
    match name {
        "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE" => known.1 | errno.unwrap_or(1),
        _ => known.1,
    }
}

/// As runc does: a rule, or one of each condition where two are on the same
/// argument.
fn split(rule: &Syscall) -> Vec<Vec<Compare>> {
    const NAMES: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    let one = |argument: &Argument| Compare {
        index: argument.index,
        operator: 1 + NAMES
            .iter()
            .position(|name| argument.op == format!("SCMP_CMP_{name}"))
            .unwrap() as c_int,
        first: argument.value,
        second: argument.value_two,
    };
    let twice = |index| {
        rule.args.iter().filter(|other| other.index == index).count() > 1
    };
    if (0..6).any(twice) {
        return rule.args.iter().map(|argument| vec![one(argument)]).collect();
    }
    vec![rule.args.iter().map(one).collect()]
}

/// Leaves what both must answer alike: names that the library knows too; no
/// two actions for one call, where it sorts and we keep the order; not two
/// conditions on one argument of 64 bits, where 2.5.4 looks at the wrong half;
/// and of several conditions in a row only such as ask for equality, where it
/// does not lose its way from one to the next.
fn comparable(library: &Library, mut profile: Seccomp) -> Seccomp {
    let mut actions = HashMap::new();
    let is_equality = |argument: &Argument| argument.op.ends_with("_EQ");
    profile.syscalls.retain(|rule| {
        split(rule).len() == 1
            && (rule.args.len() < 2 || rule.args.iter().all(is_equality))
    });
    for rule in &mut profile.syscalls {
        let answer = action(&rule.action, rule.errno_ret);
        let is_asked = !rule.args.is_empty();
        rule.names.retain(|name| {
            library.number(name).is_some()
                && match actions.insert(name.clone(), (answer, is_asked)) {
                    None => true,
                    Some((before, asked)) => {
                        before == answer && !(asked && is_asked)
                    }
                }
        });
    }
    profile.syscalls.retain(|rule| !rule.names.is_empty());
    profile
}

/// How many profiles.
const LAST: u64 = 300;

/// Compares the two; the count of calls that were tried, and of those that the
/// library answers otherwise.
fn compare(library: &Library, profile: &Seccomp, seed: u64) -> (usize, usize) {
    let ours = Filter::build(profile).unwrap().unwrap();
    let Some(theirs) = library.program(profile) else { return (0, 0) };
    let random = &mut Random::new(seed);
    let chosen = arch::chosen(&profile.architectures, Arch::NATIVE).unwrap();
    let (mut count, mut differ) = (0, 0);
    for arch in chosen {
        let base = if arch == Arch::X32 { X32_BIT } else { 0 };
        let numbers = Numbers::of(arch);
        for number in (0..480).map(|number| base + number) {
            for _ in 0..4 {
                let args = profiles::arguments(random);
                let said = Said { arch: arch.audit(), number, args };
                let found = run(ours.program(), &said);
                let right = run(&theirs, &said);
                // What is newer than the profile is runc's own addition.
                if found == ENOSYS && right != ENOSYS {
                    continue;
                }
                // The library, at 2.5.4, loses its way among inequalities of
                // 64 bits. Then the plain reading decides.
                let is_ours = || found == expected(profile, &numbers, &said);
                assert!(
                    found == right || is_ours(),
                    "seed {seed}: {arch:?} {said:x?}: {found:#x}, and the \
                     library {right:#x}: {profile:#?}"
                );
                differ += usize::from(found != right);
                count += 1;
            }
        }
    }
    (count, differ)
}

#[test]
fn the_answers_are_those_of_libseccomp() {
    let Some(library) = Library::open() else {
        println!("skipped: no libseccomp.so.2 here");
        return;
    };
    let (mut count, mut differ) = (0, 0);
    for seed in 1..LAST {
        let profile = comparable(&library, profiles::profile(seed));
        let one = compare(&library, &profile, seed);
        (count, differ) = (count + one.0, differ + one.1);
    }
    let engine = comparable(&library, engine());
    let (tried, others) = compare(&library, &engine, 1);
    assert!(tried > 1000 && others == 0, "the engine's: {others}");
    // Control: it was no empty comparison.
    assert!(count > 100_000, "{count}");
    assert!(differ < count / 100, "{differ} of {count}");
}
