//! The part of the filter that looks at the arguments of a call.

use libc::sock_filter;

use crate::bpf::{ALLOW, ANY_BIT, EQUAL, NEXT, REFUSE, argument, jump, load};
use crate::calls::{Check, Rule};

/// Lets call `number` pass if one of the `checks` does, and refuses it if none
/// does: each is tried in turn.
///
/// Of an argument the low 32 bits are all there is to compare: of those that
/// we look at the kernel takes no more (they are an `int`; clone uses 32 bits
/// of its flags). A filter that compares all 64 is bypassed by setting a bit
/// of the upper half (CVE-2019-10063).
pub(crate) fn argument_check(
    number: u32,
    checks: &[Check],
) -> Vec<sock_filter> {
    let mut block = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        let is_last = index + 1 == checks.len();
        block.extend(one_check(check, is_last));
    }
    // Another call skips the block, with its number still in A.
    block.insert(0, jump(EQUAL, number, NEXT, block.len() as u8));
    block
}

/// One check: all its arguments must be right. Which was wrong does not matter:
/// the next check follows, and behind the last the call is refused.
fn one_check(check: &Check, is_last: bool) -> Vec<sock_filter> {
    // From the end: a jump says how many of the instructions that follow it
    // are skipped, so these must be known.
    let mut block = Vec::new();
    for (index, rule) in check.arguments.iter().rev() {
        let right = if block.is_empty() { ALLOW } else { NEXT };
        let wrong = if is_last { REFUSE } else { block.len() as u8 };
        let mut test = vec![load(argument(*index))];
        test.extend(match *rule {
            Rule::NoBitOf(bits) => vec![jump(ANY_BIT, bits, wrong, right)],
            Rule::NoneOf(values) => one_of(values, wrong, right),
            Rule::OneOf(values) => one_of(values, right, wrong),
        });
        block.splice(0..0, test);
    }
    block
}

/// Goes to `yes` if A is one of `values`, else to `no`: two labels, or
/// distances from the end of these comparisons.
fn one_of(values: &[u32], yes: u8, no: u8) -> Vec<sock_filter> {
    let compare = |(index, &value): (usize, &u32)| {
        let rest = (values.len() - 1 - index) as u8;
        let yes = if is_label(yes) { yes } else { yes + rest };
        jump(EQUAL, value, yes, if rest == 0 { no } else { NEXT })
    };
    values.iter().enumerate().map(compare).collect()
}

/// A label stands for one of the three answers, wherever it is used.
fn is_label(distance: u8) -> bool {
    [ALLOW, REFUSE].contains(&distance)
}
