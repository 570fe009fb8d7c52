//! The tables as a program for the kernel.
//!
//! It asks first for the architecture, then finds the call's number by halves:
//! a profile of four hundred names is decided in eight comparisons. A
//! comparison can skip 255 instructions at most; where the half to be skipped
//! is longer, a jump with a longer reach stands behind it.

use super::arch::{Arch, X32_BIT};
use super::rules::{Condition, Rule, Table};
use super::words::Operator;
use libc::{SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD, sock_filter};
use step08::bpf::{
    self, ARCHITECTURE, AT_LEAST, EQUAL, GREATER, NEXT, NUMBER, and, answer,
    argument, argument_high, jump, load, skip,
};

/// From this number on, up to the next segment's, the same is said.
type Segment<'a> = (u32, Said<'a>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Said<'a> {
    /// The same to every call.
    Answer(u32),
    /// It depends: these rules, and the default.
    Ask(&'a [Rule], u32),
}

/// The filter program of these tables, each for another architecture.
///
/// A call of an architecture that is not among them kills the thread that
/// makes it: its numbers mean nothing here. So does libseccomp.
pub fn program(tables: &[Table]) -> Vec<sock_filter> {
    // x86_64 and x32 are one architecture to the kernel.
    let x32 = tables.iter().find(|table| table.arch == Arch::X32);
    let mut program = vec![load(ARCHITECTURE)];
    for table in tables.iter().filter(|table| table.arch != Arch::X32) {
        let mut part = vec![load(NUMBER)];
        part.extend(halve(&segments(table, x32)));
        program.extend(unless(EQUAL, table.arch.audit(), part.len()));
        program.extend(part);
    }
    program.push(answer(SECCOMP_RET_KILL_THREAD));
    program
}

/// Skips the `length` instructions that follow unless A compares so with `k`.
fn unless(compare: u16, k: u32, length: usize) -> Vec<sock_filter> {
    match u8::try_from(length) {
        Ok(distance) => vec![jump(compare, k, NEXT, distance)],
        Err(_) => vec![jump(compare, k, 1, NEXT), skip(length as u32)],
    }
}

/// All numbers, in ascending order and without a gap.
fn segments<'a>(table: &'a Table, x32: Option<&'a Table>) -> Vec<Segment<'a>> {
    let mut segments = Vec::new();
    spread(table, 0, &mut segments);
    if table.arch == Arch::X86_64 {
        match x32 {
            Some(x32) => spread(x32, X32_BIT, &mut segments),
            None => {
                let kill = Said::Answer(SECCOMP_RET_KILL_THREAD);
                segments.retain(|segment| segment.0 < X32_BIT);
                segments.push((X32_BIT, kill));
                // -1 is what a tracer writes over a number to have no call
                // made; it belongs to no architecture.
                segments.push((u32::MAX, Said::Answer(table.default)));
            }
        }
    }
    segments.dedup_by(|next, before| next.1 == before.1);
    segments
}

/// Appends the segments of one table, whose numbers begin at `first`.
fn spread<'a>(table: &'a Table, first: u32, segments: &mut Vec<Segment<'a>>) {
    let default = Said::Answer(table.default);
    let mut next = first;
    for (&number, rules) in &table.calls {
        if next < number {
            segments.push((next, default));
        }
        let said = match &rules[..] {
            [only] if only.conditions.is_empty() => Said::Answer(only.answer),
            rules => Said::Ask(rules, table.default),
        };
        segments.push((number, said));
        next = number + 1;
    }
    let newest = table.newest.unwrap_or(u32::MAX);
    if next <= newest {
        segments.push((next, default));
    }
    if let Some(newest) = table.newest {
        let absent = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        segments.push((newest + 1, Said::Answer(absent)));
    }
}

/// Finds the segment of the number in A. Every way through ends in an answer.
fn halve(segments: &[Segment<'_>]) -> Vec<sock_filter> {
    let [(_, said)] = segments else {
        let (lower, upper) = segments.split_at(segments.len() / 2);
        let first = upper[0].0;
        let (lower, upper) = (halve(lower), halve(upper));
        let mut both = unless(AT_LEAST, first, upper.len());
        both.extend(upper);
        both.extend(lower);
        return both;
    };
    match *said {
        Said::Answer(said) => vec![answer(said)],
        Said::Ask(rules, default) => {
            let mut block: Vec<_> = rules.iter().flat_map(ask).collect();
            block.push(answer(default));
            block
        }
    }
}

/// One rule: its answer where all conditions hold, else whatever follows.
fn ask(rule: &Rule) -> Vec<sock_filter> {
    // From the end: a jump says how many of those that follow it are skipped.
    let mut block = vec![answer(rule.answer)];
    for condition in rule.conditions.iter().rev() {
        // Six conditions of six instructions each, at most.
        let rest = block.len() as u8;
        block.splice(0..0, test(condition, rest));
    }
    block
}

/// Skips the `rest` of the rule unless the condition holds.
///
/// A is 32 bits wide and an argument 64: the upper halves decide, and where
/// they are equal the lower ones do. Where the mask leaves nothing of a half,
/// as in a call of 32 bits, it is not asked.
fn test(condition: &Condition, rest: u8) -> Vec<sock_filter> {
    let upper = |word: u64| (word >> 32) as u32;
    let lower = |word: u64| word as u32;
    let (value, mask) = (condition.value, condition.mask);
    let at = |half| match half {
        Half::Upper => argument_high(condition.index),
        Half::Lower => argument(condition.index),
    };
    let mut low = Vec::new();
    if lower(mask) != 0 {
        let (compare, holds) = comparison(condition.operator);
        low.extend(masked(at(Half::Lower), lower(mask)));
        let (yes, no) = if holds { (NEXT, rest) } else { (rest, NEXT) };
        low.push(jump(compare, lower(value), yes, no));
    }
    if upper(mask) == 0 {
        return low;
    }
    let mut test = masked(at(Half::Upper), upper(mask));
    // Behind the upper half's comparisons stand `below` instructions more.
    let below = low.len() as u8;
    let (k, fails) = (upper(value), below + rest);
    match condition.operator {
        Operator::Equal | Operator::MaskedEqual => {
            test.push(jump(EQUAL, k, NEXT, fails));
        }
        Operator::NotEqual => test.push(jump(EQUAL, k, NEXT, below)),
        Operator::Greater | Operator::AtLeast => {
            test.push(jump(GREATER, k, below + 1, NEXT));
            test.push(jump(EQUAL, k, NEXT, fails));
        }
        Operator::Less | Operator::AtMost => {
            test.push(jump(GREATER, k, fails + 1, NEXT));
            test.push(jump(EQUAL, k, NEXT, below));
        }
    }
    test.extend(low);
    test
}

enum Half {
    Upper,
    Lower,
}

/// A = the word at `offset`, or those bits of it.
fn masked(offset: u32, mask: u32) -> Vec<sock_filter> {
    match mask {
        u32::MAX => vec![load(offset)],
        mask => vec![load(offset), and(mask)],
    }
}

/// The machine has `==`, `>` and `>=`. For the others the opposite is asked.
fn comparison(operator: Operator) -> (u16, bool) {
    match operator {
        Operator::Equal | Operator::MaskedEqual => (EQUAL, true),
        Operator::NotEqual => (EQUAL, false),
        Operator::Greater => (bpf::GREATER, true),
        Operator::AtMost => (bpf::GREATER, false),
        Operator::AtLeast => (bpf::AT_LEAST, true),
        Operator::Less => (bpf::AT_LEAST, false),
    }
}
