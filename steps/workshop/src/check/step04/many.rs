//! More layers than the options of a mount have room for.

use anyhow::Result;

use crate::check::Attempt;
use crate::check::report::Report;

/// The names of so many layers take 4102 bytes, with all the rest.
const TOO_MANY: usize = 457;
/// And those of so many do not, by far.
const ENOUGH: usize = 300;

/// With one and the same layer again and again, which the kernel refuses when
/// it gets to see it.
pub(super) fn look(attempt: &mut Attempt, image: &str) -> Result<()> {
    let report = run(attempt, image, ENOUGH)?;
    attempt.found(
        &format!("the names of {ENOUGH} layers fit, and are the kernel's"),
        is_the_kernels(&report),
        report.words(),
        "an error of the kernel's: one layer is named twice",
        "`mount_overlay` refuses what fits: mount(2) takes 4096 bytes of \
         options, with the zero byte at the end",
    )?;
    let report = run(attempt, image, TOO_MANY)?;
    attempt.found(
        &format!("the names of {TOO_MANY} layers do not, and are refused"),
        report.status.is_some_and(|status| status != 0)
            && !is_the_kernels(&report),
        report.words(),
        "an error before the mount",
        "`mount_overlay` must check the length of the options: mount(2) cuts \
         off, without a word, what is beyond 4096 bytes with the zero byte. \
         So `ensure!` that there are fewer",
    )
}

fn run(attempt: &Attempt, image: &str, count: usize) -> Result<Report> {
    let flags = ["--image", image].repeat(count);
    attempt.run(&flags, "true")
}

/// Is it an error with a name of errno(3)?
fn is_the_kernels(report: &Report) -> bool {
    let is_name = |word: &str| {
        let word = word.trim_end_matches(':');
        word.len() > 3
            && word.starts_with('E')
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    report.stderr.split_whitespace().any(is_name)
        || report.stderr.contains("(os error")
}
