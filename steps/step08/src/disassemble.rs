//! Writes a filter program so that a person can read it.
//!
//! The kernel only keeps numbers; this turns them back into the names they
//! stand for. It works on any program of `bpf.rs`'s instructions, and does not
//! look at the policy from which it was made: what you read is what runs.

use crate::bpf::{
    ANY_BIT, ARCHITECTURE, AT_LEAST, EQUAL, GREATER, LOAD, NUMBER, RETURN,
    argument, is_jump,
};
use crate::{arch, calls};
use libc::{
    SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_DATA,
    SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter,
};
use nix::errno::Errno;
use std::fmt::Write;

/// How to read the listing, in front of it.
const LEGEND: &str = "\
; ld puts a word of the call into A: arch, its number, or an argument.
; jeq, jge, jgt ask: is A equal to, at least, greater than this?
; jset asks: does A have any of these bits? Without a `then` or an `else`
; the program goes on with the next line. ret ends it with an answer.
; \"jge read …\" and \"jgt … writev\" together ask for a range of numbers.
";

/// The program as text: a legend, then a line of at most 80 columns for each
/// instruction, with its index, its mnemonic, its constant by name, and where
/// it jumps, as an index and, where an answer stands there, that answer.
pub fn disassemble(program: &[sock_filter]) -> String {
    let loaded = loaded(program);
    let mut text = String::from(LEGEND);
    for (here, instruction) in program.iter().enumerate() {
        let operand = operand(program, here, loaded[here]);
        let mnemonic = mnemonic(instruction.code);
        let targets = targets(program, here);
        let line = format!("{here:>4}  {mnemonic:<4}  {operand:<26}{targets}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// For each instruction the offset of the word that A holds before it.
///
/// Jumps only go forward, so one pass is enough: each instruction hands on to
/// those that may follow it. They agree, as our blocks load once and return.
fn loaded(program: &[sock_filter]) -> Vec<Option<u32>> {
    let mut loaded = vec![None; program.len() + 1];
    for (here, instruction) in program.iter().enumerate() {
        let after = match instruction.code {
            LOAD => Some(instruction.k),
            _ => loaded[here],
        };
        for next in followers(instruction, here) {
            if let Some(word) = loaded.get_mut(next) {
                *word = after;
            }
        }
    }
    loaded
}

/// The indices of the instructions that may run next.
fn followers(instruction: &sock_filter, here: usize) -> Vec<usize> {
    match instruction.code {
        RETURN => vec![],
        code if is_jump(code) => vec![
            here + 1 + usize::from(instruction.jt),
            here + 1 + usize::from(instruction.jf),
        ],
        _ => vec![here + 1],
    }
}

fn mnemonic(code: u16) -> &'static str {
    match code {
        LOAD => "ld",
        EQUAL => "jeq",
        GREATER => "jgt",
        AT_LEAST => "jge",
        ANY_BIT => "jset",
        RETURN => "ret",
        _ => "?",
    }
}

/// The constant of instruction `here`, by the name it has there.
fn operand(program: &[sock_filter], here: usize, a: Option<u32>) -> String {
    let sock_filter { code, k, .. } = program[here];
    match (code, a) {
        (LOAD, _) => word(k),
        (RETURN, _) => action(k),
        (_, Some(ARCHITECTURE)) => known_or_hex(arch::audit_name(k), k),
        (_, Some(NUMBER)) => match half_of_range(program, here) {
            Half::First => format!("{} …", call(k)),
            Half::Last => format!("… {}", call(k)),
            Half::Neither => call(k),
        },
        (_, at) => known_or_hex(at.and_then(|at| value_name(at, k)), k),
    }
}

enum Half {
    First,
    Last,
    Neither,
}

/// A range is a `jge` that goes on to the `jgt` right behind it.
fn half_of_range(program: &[sock_filter], here: usize) -> Half {
    let pair = |first: usize| {
        program.get(first).is_some_and(|it| it.code == AT_LEAST && it.jt == 0)
            && program.get(first + 1).is_some_and(|it| it.code == GREATER)
    };
    match here {
        _ if pair(here) => Half::First,
        1.. if pair(here - 1) => Half::Last,
        _ => Half::Neither,
    }
}

/// What lies at this offset of `struct seccomp_data`.
fn word(offset: u32) -> String {
    match offset {
        NUMBER => "number".into(),
        ARCHITECTURE => "arch".into(),
        _ => (0..6)
            .find(|&index| argument(index) == offset)
            .map_or(format!("[{offset}]"), |index| format!("args[{index}]")),
    }
}

fn call(number: u32) -> String {
    match arch::name(number) {
        Some(name) => name.into(),
        None if Some(number) == arch::X32_BIT => "0x40000000 (x32)".into(),
        None => number.to_string(),
    }
}

/// What a value means as the argument that lies at this offset.
fn value_name(offset: u32, value: u32) -> Option<&'static str> {
    let mut names = calls::VALUE_NAMES.iter();
    let is_it = |name: &&(usize, u32, _)| {
        argument(name.0) == offset && name.1 == value
    };
    names.find(is_it).map(|name| name.2)
}

fn known_or_hex(name: Option<&str>, value: u32) -> String {
    name.map_or(format!("{value:#x}"), Into::into)
}

/// `then` where a jump goes on yes, `else` where it goes on no; nothing for
/// the way to the next line.
fn targets(program: &[sock_filter], here: usize) -> String {
    let sock_filter { code, jt, jf, .. } = program[here];
    if !is_jump(code) {
        return String::new();
    }
    let target = |word: &str, distance: u8| {
        let index = here + 1 + usize::from(distance);
        let answer = program.get(index).filter(|it| it.code == RETURN);
        let action = answer.map(|it| action(it.k)).unwrap_or_default();
        (distance != 0).then(|| format!("{word} {index} {action}"))
    };
    let both = [target("then", jt), target("else", jf)];
    let said: Vec<String> = both.into_iter().flatten().collect();
    said.join(" ")
}

/// A `SECCOMP_RET_*` value: the action is in the upper 16 bits, and for ERRNO
/// the errno in the lower (seccomp(2)).
fn action(k: u32) -> String {
    match k & SECCOMP_RET_ACTION_FULL {
        SECCOMP_RET_ALLOW => "ALLOW".into(),
        SECCOMP_RET_KILL_PROCESS => "KILL_PROCESS".into(),
        SECCOMP_RET_ERRNO => {
            let errno = Errno::from_raw((k & SECCOMP_RET_DATA) as i32);
            format!("ERRNO({errno:?})")
        }
        _ => format!("{k:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::{NEXT, answer, answer_errno, jump, load};
    use crate::{calls::Calls, seccomp};

    #[test]
    fn every_instruction_has_its_line_of_eighty_columns() {
        let program = seccomp::program(&Calls::default());
        let text = disassemble(&program);
        let lines = text.lines().filter(|line| !line.starts_with(';'));
        assert_eq!(lines.count(), program.len());
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "too wide: {line}");
            assert!(!line.contains('?') || line.starts_with(';'), "{line}");
        }
    }

    #[test]
    fn names_stand_where_the_kernel_has_numbers() {
        let text = disassemble(&seccomp::program(&Calls::default()));
        for name in ["clone3", "TIOCSTI", "CLONE_NEW*", "ERRNO(ENOSYS)"] {
            assert!(text.contains(name), "no {name} in\n{text}");
        }
        let has_x32 = text.contains("0x40000000 (x32)");
        assert_eq!(has_x32, arch::X32_BIT.is_some());
        assert!(!text.contains(" mount"), "a refused call is listed");
    }

    /// Every instruction, every kind of constant and of jump, word by word.
    #[test]
    fn what_is_read_is_what_runs() {
        let number = |name| arch::number(name).expect(name);
        let program = [
            load(ARCHITECTURE),
            jump(EQUAL, arch::AUDIT_ARCH, 1, NEXT),
            answer(SECCOMP_RET_KILL_PROCESS),
            load(NUMBER),
            jump(EQUAL, number("clone3"), 6, NEXT),
            jump(EQUAL, number("socket"), NEXT, 2),
            load(argument(2)),
            jump(EQUAL, 58, 4, 2),
            jump(AT_LEAST, number("read"), NEXT, 1),
            jump(GREATER, number("write"), NEXT, 2),
            answer_errno(libc::EPERM),
            answer_errno(libc::ENOSYS),
            answer(SECCOMP_RET_ALLOW),
            load(argument(0)),
            jump(ANY_BIT, 58, NEXT, 1),
            load(8),
            jump(GREATER, 0x77, NEXT, NEXT),
            load(NUMBER),
            jump(GREATER, 9999, 1, NEXT),
            jump(AT_LEAST, number("read"), 1, NEXT),
            jump(GREATER, number("write"), NEXT, NEXT),
            answer(libc::SECCOMP_RET_LOG),
        ];
        let native = arch::audit_name(arch::AUDIT_ARCH).expect("a name");
        let lines = [
            "ld arch",
            &format!("jeq {native} then 3"),
            "ret KILL_PROCESS",
            "ld number",
            "jeq clone3 then 11 ERRNO(ENOSYS)",
            "jeq socket else 8",
            "ld args[2]",
            "jeq IPPROTO_ICMPV6 then 12 ALLOW else 10 ERRNO(EPERM)",
            "jge read … else 10 ERRNO(EPERM)",
            "jgt … write else 12 ALLOW",
            "ret ERRNO(EPERM)",
            "ret ERRNO(ENOSYS)",
            "ret ALLOW",
            "ld args[0]",
            // The same number, and no name as the first argument.
            "jset 0x3a else 16",
            "ld [8]",
            "jgt 0x77",
            "ld number",
            "jgt 9999 then 20",
            // No range: the first of the two jumps.
            "jge read then 21 0x7ffc0000",
            "jgt write",
            "ret 0x7ffc0000",
        ];
        let text = disassemble(&program);
        let found = text.lines().filter(|line| !line.starts_with(';'));
        let words =
            |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let found: Vec<String> = found.map(words).collect();
        let numbered = |(here, line): (usize, &&str)| format!("{here} {line}");
        let right: Vec<_> = lines.iter().enumerate().map(numbered).collect();
        assert_eq!(found, right);
    }

    #[test]
    fn an_unknown_instruction_is_shown_and_not_hidden() {
        let odd = sock_filter { code: 0x87, jt: 0, jf: 0, k: 1 };
        assert!(disassemble(&[odd]).contains("0  ?"));
    }
}
