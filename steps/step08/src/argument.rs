//! The part of the filter that looks at an argument of a call.

use libc::sock_filter;

use crate::bpf::{ALLOW, ANY_BIT, EQUAL, NEXT, REFUSE, argument, jump, load};
use crate::calls::{Check, Rule};

/// Lets call `number` pass or not, by the low 32 bits of one argument.
///
/// The low half is all there is to compare: of the arguments we look at the
/// kernel takes no more (they are an `int`; clone uses 32 bits of its flags).
/// A filter that compares all 64 is bypassed by setting a bit of the upper
/// half (CVE-2019-10063).
pub(crate) fn argument_check(number: u32, check: &Check) -> Vec<sock_filter> {
    let mut block = vec![load(argument(check.argument))];
    block.extend(match check.rule {
        Rule::NoBitOf(bits) => vec![jump(ANY_BIT, bits, REFUSE, ALLOW)],
        Rule::NoneOf(values) => one_of(values, REFUSE, ALLOW),
        Rule::OneOf(values) => one_of(values, ALLOW, REFUSE),
    });
    // Another call skips the block, with its number still in A.
    block.insert(0, jump(EQUAL, number, NEXT, block.len() as u8));
    block
}

/// Goes to `yes` if A is one of `values`, else to `no`.
fn one_of(values: &[u32], yes: u8, no: u8) -> Vec<sock_filter> {
    let mut jumps: Vec<sock_filter> =
        values.iter().map(|&value| jump(EQUAL, value, yes, NEXT)).collect();
    if let Some(last) = jumps.last_mut() {
        last.jf = no;
    }
    jumps
}
