//! What the program answers to every number of the table.

use anyhow::Result;
use libc::sock_filter;
use step08::arch;
use step08::calls::Calls;

use crate::check::Attempt;
use crate::check::filter::{answer, named};

/// `range`, since all else is as it should be: every number of the table.
pub fn look(attempt: &mut Attempt, program: &[sock_filter]) -> Result<()> {
    let calls = Calls::default();
    absent(attempt, program, &calls)?;
    let wrong = (0..=calls.newest).filter_map(|number| {
        let said = named(answer(program, arch::AUDIT_ARCH, number));
        let expected = expected(&calls, number)?;
        (said != expected).then_some((number, said, expected))
    });
    let what = "each call of the table gets its answer";
    let Some((number, said, expected)) = wrong.into_iter().next() else {
        return attempt.found(what, true, "", "", "");
    };
    let name = arch::name(number).map(|name| format!(" ({name})"));
    let call = format!("call {number}{}", name.unwrap_or_default());
    attempt.found(
        what,
        false,
        format!("{call}: {said}"),
        format!("{call}: {expected}"),
        mistake(&calls, number, &said),
    )
}

/// Calls that `program`, which is given, asks about before any range.
fn absent(
    attempt: &mut Attempt,
    program: &[sock_filter],
    calls: &Calls,
) -> Result<()> {
    for &number in &calls.absent {
        attempt.same(
            "clone3(2) seems absent, so that libc takes clone(2)",
            named(answer(program, arch::AUDIT_ARCH, number)),
            "ENOSYS",
            "clone3 is not among the calls that seem absent: `program`, which \
             was given, must ask for each of calls.absent",
        )?;
    }
    if let Some(bit) = arch::X32_BIT {
        attempt.same(
            "a number of x32 is refused",
            named(answer(program, arch::AUDIT_ARCH, bit)),
            "EPERM",
            "the numbers of x32 are not refused: `program`, which was given, \
             must ask for arch::X32_BIT",
        )?;
    }
    Ok(())
}

/// What the table says of a call; nothing of those that depend on arguments.
fn expected(calls: &Calls, number: u32) -> Option<&'static str> {
    let is_in = |&(first, last): &(u32, u32)| (first..=last).contains(&number);
    if calls.checked.iter().any(|(checked, _)| *checked == number) {
        return None;
    }
    Some(
        match (calls.absent.contains(&number), calls.ranges.iter().any(is_in))
        {
            (true, _) => "ENOSYS",
            (false, true) => "allowed",
            (false, false) => "EPERM",
        },
    )
}

/// The likeliest one, by where in its range the number lies.
fn mistake(calls: &Calls, number: u32, said: &str) -> &'static str {
    let mut ranges = calls.ranges.iter();
    let range =
        ranges.find(|(first, last)| (*first..=*last).contains(&number));
    match (range, said) {
        (Some((first, last)), "EPERM") if first < last && *last == number => {
            "`range` refuses its `last` call, which is allowed: what is \
             GREATER than `last` is not in it, so ask for that, not for \
             AT_LEAST"
        }
        (Some((first, last)), "EPERM") if first < last && *first == number => {
            "`range` refuses its `first` call, or a range before it says no \
             to what is above its own: what is AT_LEAST `first` and not \
             GREATER than `last` is allowed; what is above `last` goes to the \
             NEXT instruction, for a later range may have it"
        }
        (Some((first, last)), "EPERM") if first == last => {
            "`range` of a single call: if it is EQUAL to `first` it is \
             allowed (ALLOW), if not the NEXT instruction has its say"
        }
        (None, "allowed") => {
            "`range` lets a call through that is in no range: what is below \
             `first` is to be refused (REFUSE), and what is above `last` goes \
             to the NEXT instruction; ALLOW is only for what lies between. If \
             there is one call only, what is EQUAL to it"
        }
        (None, "ENOSYS") => {
            "`range`: what is below `first` is not absent, it is refused: \
             REFUSE"
        }
        _ => {
            "`range` is shut: AT_LEAST its `first` goes on to the NEXT \
             question, and what is not GREATER than its `last` goes to ALLOW"
        }
    }
}
