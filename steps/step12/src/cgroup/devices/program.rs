//! The rules as a program of the kernel's second little machine, eBPF.
//!
//! The filter of step08 is classic BPF, with one register. This machine has
//! ten registers of 64 bits, and we use six of them. Each instruction has 8
//! bytes: what to do, two registers, a distance to jump, a number
//! (Documentation/bpf/standardization/instruction-set.rst).
//!
//! | instruction | does |
//! |---|---|
//! | `load` | register = the 32-bit word at an offset of the input |
//! | `set` `copy` | register = number, register = register |
//! | `and` `shift` | clear bits, shift to the right |
//! | `unless` | jump, if register and number differ |
//! | `any` | jump, if they share a bit |
//! | `skip` | jump |
//! | `exit` | stop; register 0 is the answer: 1 is yes, 0 is EPERM |
//!
//! The input (`struct bpf_cgroup_dev_ctx`) is three words: the type of the
//! device in the low half of the first and the rights that are asked for in
//! its high half, then major and minor.
//!
//! The program looks at the rules from the last one to the first, and keeps
//! the rights that nobody has decided on yet. A rule that allows takes its own
//! from them, and when none is left the answer is yes. A rule that denies one
//! of them makes the answer no. So for each right the last match wins.

use super::{Kind, Rule, allow_all};

/// One instruction, as the kernel wants it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u8,
    /// The register that changes, or is compared, in the low four bits; the
    /// one that is read in the others.
    pub(super) registers: u8,
    /// How many instructions a jump skips.
    pub(super) offset: i16,
    pub(super) number: i32,
}

// An operation is the sum of a class, of what is done, and of where the second
// number comes from: linux/bpf_common.h and linux/bpf.h.
const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_W | BPF_MEM
const SET: u8 = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
const COPY: u8 = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const UNLESS: u8 = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
const ANY: u8 = 0x46; // BPF_JMP32 | BPF_JSET | BPF_K
const SKIP: u8 = 0x05; // BPF_JMP | BPF_JA
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

// Who holds what. The kernel gives the input's address in register 1.
const ANSWER: u8 = 0;
const INPUT: u8 = 1;
const KIND: u8 = 2;
const OPEN: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// What stands in the low half of the input's first word (linux/bpf.h,
/// BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR).
fn number_of(kind: Kind) -> u32 {
    match kind {
        Kind::Block => 1,
        Kind::Character => 2,
    }
}

/// The program; none where all is allowed.
pub(super) fn write(rules: &[Rule]) -> Option<Vec<Instruction>> {
    if allow_all(rules) {
        return None;
    }
    let mut program = vec![
        load(KIND, 0),
        Instruction { registers: OPEN | KIND << 4, ..with(COPY, OPEN, 0) },
        with(AND, KIND, 0xffff),
        with(SHIFT, OPEN, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        if rule.is_total() {
            // Nothing before it counts. (And the kernel refuses a program with
            // instructions that can never be reached.)
            program.extend(answer(rule.allow));
            return Some(program);
        }
        program.extend(block(rule));
    }
    program.extend(answer(false));
    Some(program)
}

/// Who does not match jumps behind the block.
fn block(rule: &Rule) -> Vec<Instruction> {
    let verdict = match rule.allow {
        true => vec![
            with(AND, OPEN, !rule.access),
            // Something is left to decide: no answer yet.
            jump(UNLESS, OPEN, 0, 2),
        ],
        false => vec![jump(ANY, OPEN, rule.access, 1), jump(SKIP, 0, 0, 2)],
    };
    let verdict = [&verdict[..], &answer(rule.allow)].concat();
    let kind = rule.kind.map(number_of);
    let asked = [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)];
    let asked = asked.iter().filter_map(|&(held, it)| Some((held, it?)));
    let mut block = verdict;
    // From the end: the distance to it is the length of what is there.
    for (held, number) in asked.rev() {
        let skip = block.len() as i16;
        block.insert(0, jump(UNLESS, held, number, skip));
    }
    block
}

fn answer(yes: bool) -> [Instruction; 2] {
    [with(SET, ANSWER, u32::from(yes)), with(EXIT, 0, 0)]
}

fn load(register: u8, offset: i16) -> Instruction {
    let registers = register | INPUT << 4;
    Instruction { code: LOAD_WORD, registers, offset, number: 0 }
}

/// The number has 32 bits, with or without a sign.
fn with(code: u8, register: u8, number: u32) -> Instruction {
    let number = number as i32;
    Instruction { code, registers: register, offset: 0, number }
}

fn jump(code: u8, register: u8, number: u32, skip: i16) -> Instruction {
    Instruction { offset: skip, ..with(code, register, number) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::super::{ALL, MKNOD, READ, WRITE};
    use super::*;

    /// The machine, as the document says it works.
    fn run(program: &[Instruction], input: [u32; 3]) -> u32 {
        let mut held = [0u32; 10];
        let mut next = 0;
        loop {
            let it = program[next];
            let (to, from) = (it.registers & 15, it.registers >> 4);
            let (to, from) = (usize::from(to), usize::from(from));
            let number = it.number as u32;
            next += 1;
            let jumps = match it.code {
                LOAD_WORD => {
                    held[to] = input[it.offset as usize / 4];
                    false
                }
                SET => {
                    held[to] = number;
                    false
                }
                COPY => {
                    held[to] = held[from];
                    false
                }
                AND => {
                    held[to] &= number;
                    false
                }
                SHIFT => {
                    held[to] >>= number;
                    false
                }
                UNLESS => held[to] != number,
                ANY => held[to] & number != 0,
                SKIP => true,
                EXIT => return held[0],
                other => panic!("no instruction {other:#x}"),
            };
            if jumps {
                next += it.offset as usize;
            }
        }
    }

    /// The rules as a person reads them: for each right the last match.
    fn decide(
        rules: &[Rule],
        kind: Kind,
        number: (u32, u32),
        it: u32,
    ) -> bool {
        let is_about = |rule: &&Rule, right: u32| {
            rule.kind.is_none_or(|of| of == kind)
                && rule.major.is_none_or(|major| major == number.0)
                && rule.minor.is_none_or(|minor| minor == number.1)
                && rule.access & right != 0
        };
        let may = |right: u32| {
            let rule = rules.iter().rfind(|rule| is_about(rule, right));
            rule.is_some_and(|rule| rule.allow)
        };
        [MKNOD, READ, WRITE].iter().all(|&right| it & right == 0 || may(right))
    }

    #[test]
    fn the_program_decides_as_the_rules_do() {
        let lists = [
            "[]",
            r#"[{"allow": false}, {"allow": true, "type": "c", "major": 10,
                "minor": 229}]"#,
            r#"[{"allow": true, "type": "b", "major": 8, "access": "r"},
                {"allow": true, "type": "b", "major": 8, "access": "w"},
                {"allow": false, "type": "b", "major": 8, "minor": 1}]"#,
            r#"[{"allow": true}, {"allow": false, "type": "b", "minor": 1,
                "access": "w"}]"#,
            r#"[{"allow": true, "major": 4294967295, "minor": 1}]"#,
        ];
        let (mut yes, mut no) = (0, 0);
        for list in lists {
            let rules = read(list).expect("rules");
            let program = write(&rules).expect("not all is allowed");
            for kind in [Kind::Block, Kind::Character] {
                for major in [1, 5, 8, 10, 136, u32::MAX] {
                    for minor in [0, 1, 3, 229] {
                        for it in 1..=ALL {
                            let first = it << 16 | number_of(kind);
                            let input = [first, major, minor];
                            let answer = run(&program, input) == 1;
                            let right =
                                decide(&rules, kind, (major, minor), it);
                            assert_eq!(answer, right, "{list} {input:?}");
                            if right { yes += 1 } else { no += 1 }
                        }
                    }
                }
            }
        }
        assert!(yes > 99 && no > 99, "the control: {yes} yes, {no} no");
    }

    #[test]
    fn no_instruction_is_out_of_reach() {
        // The kernel refuses such a program. Each block ends with an answer,
        // or is jumped over; so only what follows a total rule is lost.
        let list = r#"[{"allow": true, "type": "c", "major": 7},
            {"allow": false}]"#;
        let program = write(&read(list).expect("rules")).expect("a program");
        let none = write(&read("[]").expect("rules")).expect("a program");
        assert_eq!(program, none, "what is before a total rule counts");
        assert_eq!(write(&read(r#"[{"allow": true}]"#).expect("rules")), None);
    }
}
