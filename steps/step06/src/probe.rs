//! What `cargo workshop check 6` asks `become_user` itself.
//!
//! In here it is called for the number 0 alone, and there a wrong order of
//! the calls, or a number that is ignored, makes no difference: it does in
//! step10, whose `--user` becomes somebody else. So check starts step06 with
//! WORKSHOP_PROBE=become_user, and the answer is a line on stdout. No
//! container is made.

use std::io::{self, Write};
use std::process::exit;

use anyhow::{Context, Result};
use step00::Proc;

use crate::user::become_user;

/// Answers the question and ends, if step06 was started for that. Before
/// anything else: what `write_maps` does is not asked for.
pub(crate) fn answer_if_asked() {
    let asked = std::env::var("WORKSHOP_PROBE");
    let is_asked = asked.is_ok_and(|question| question == "become_user");
    if !is_asked || step00::rung() != Some("step06") {
        return;
    }
    if let Err(error) = answer() {
        eprintln!("step06: {error:#}");
        exit(125)
    }
    exit(0)
}

/// Becomes user 5 of group 6, with two groups beside, and tells what came of
/// it: real, effective, saved and for files (proc_pid_status(5)).
fn answer() -> Result<()> {
    become_user(5, 6, &[7, 8])?;
    let own = |field| {
        let numbers = Proc::own().status(field)?;
        let numbers: Vec<_> = numbers.split_whitespace().collect();
        anyhow::Ok(numbers.join(" "))
    };
    let (user, group, beside) = (own("Uid")?, own("Gid")?, own("Groups")?);
    writeln!(io::stdout(), "user {user}, group {group}, beside {beside}")
        .context("print the answer")
}
