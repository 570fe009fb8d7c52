//! The three descriptors that come along on purpose: stdin, stdout and stderr.
//!
//! What the caller has opened as one of them is open inside as well, past
//! every mount namespace: a terminal, a pipe, one file. A folder would be more
//! than one file. From `step10 sh </` the process could go to /proc/self/fd/0
//! and find the machine's root there (as in CVE-2024-21626).

use std::io::{stderr, stdin, stdout};
use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow};
use nix::sys::stat::SFlag;
use step00::Advice;
use step00::stat::fstat;

/// Succeeds where none of the three is a folder.
///
/// # Errors
/// When one is.
pub fn check() -> Result<()> {
    let (input, output, errors) = (stdin(), stdout(), stderr());
    let all = [
        ("stdin", input.as_fd()),
        ("stdout", output.as_fd()),
        ("stderr", errors.as_fd()),
    ];
    for (name, stream) in all {
        let found =
            fstat(stream).with_context(|| format!("look at {name}"))?;
        let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        if kind == SFlag::S_IFDIR {
            let door = "a folder, and would be a door out of the container";
            return Err(anyhow!("take {name} along: it is {door}"))
                .advice("</dev/null; --volume lets a folder in");
        }
    }
    Ok(())
}
