//! What each function of the exercise has given to the program.
//!
//! `program` puts them together, so it is known where each part lies: three
//! instructions about the architecture, `ld number`, the blocks for calls that
//! seem absent or depend on an argument, the ranges, and the last four.

use anyhow::Result;
use libc::sock_filter;
use step08::arch;

use super::numbers;
use crate::check::Attempt;
use crate::check::filter::{named, walk};

/// The architecture check comes first, and `ld number` follows it.
const HEAD: usize = 3;
/// The one question and the three answers at the end.
const TAIL: usize = 4;

/// Looks at all of them, in the order in which they depend on each other.
pub fn look(attempt: &mut Attempt, program: &[sock_filter]) -> Result<()> {
    let enough = program.len() > HEAD + TAIL;
    let count = program.len();
    let mistake = "`program` was given: was it changed?";
    attempt.found("the program is built", enough, count, "all", mistake)?;
    answers(attempt, &program[program.len() - TAIL..])?;
    architecture(attempt, &program[..HEAD])?;
    numbers::look(attempt, program)
}

/// `default_answer`: first the answers, for all others jump to these.
fn answers(attempt: &mut Attempt, tail: &[sock_filter]) -> Result<()> {
    let said = tail[1..].iter().map(|it| match walk(&[*it], [0, 0], 0) {
        Ok(answer) => named(answer),
        Err(_) => "no answer".into(),
    });
    let said: Vec<String> = said.collect();
    attempt.same(
        "the last three instructions are the answers",
        said.join(", "),
        "EPERM, ENOSYS, allowed",
        "`default_answer` ends with three answers: NEXT leads to the refusal \
         (EPERM), then come absent (ENOSYS) and allow. `link` counts them \
         from the end",
    )?;
    let newest = arch::newest();
    for (what, number, expected) in [
        (
            "a call that is newer than the table seems absent",
            newest + 1,
            "ENOSYS",
        ),
        ("and one that is a good deal newer", 60_000, "ENOSYS"),
        ("the newest that is known is no newer one", newest, "EPERM"),
        ("an old call that nothing has allowed is refused", 1, "EPERM"),
    ] {
        let said =
            walk(tail, [0, 0], number).map_or("no answer".into(), named);
        attempt.same(
            what,
            said,
            expected,
            "`default_answer` asks first: GREATER than the newest call goes \
             to ABSENT, all others to the NEXT instruction, which refuses",
        )?;
    }
    Ok(())
}

/// `architecture_check`: on with ours, and an end with any other.
fn architecture(attempt: &mut Attempt, head: &[sock_filter]) -> Result<()> {
    let own = arch::AUDIT_ARCH;
    let found = match walk(head, [0, own], 0) {
        Ok(answer) => named(answer),
        Err(HEAD) => "it goes on with the call's number".into(),
        Err(at) => format!("it skips {} instructions more", at - HEAD),
    };
    attempt.same(
        "a call of our own architecture is looked at",
        found,
        "it goes on with the call's number",
        "`architecture_check` loads ARCHITECTURE (not NUMBER), compares it \
         with arch::AUDIT_ARCH, and on yes skips the one answer that follows: \
         distance 1. On no it goes to the NEXT instruction, that answer",
    )?;
    let others = [crate::arch::foreign(), own - 1, own + 1, 0, u32::MAX];
    for other in others {
        let (found, mistake) = match walk(head, [0, other], 0) {
            Err(_) => (
                "it is not stopped".into(),
                "`architecture_check`: the architecture is not checked. Only \
                 one that is EQUAL to arch::AUDIT_ARCH may go on, and any \
                 other must be answered: there, the same number is another \
                 call",
            ),
            Ok(answer) => (
                named(answer),
                "`architecture_check` has the wrong answer for what is not \
                 our architecture: it is SECCOMP_RET_KILL_PROCESS, the whole \
                 process and not one thread (seccomp(2))",
            ),
        };
        attempt.same(
            &format!("a call of architecture {other:#x} ends the process"),
            found,
            "the process is killed",
            mistake,
        )?;
    }
    Ok(())
}
