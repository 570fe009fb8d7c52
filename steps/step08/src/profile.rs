//! What the flags ask for: the default filter, or none.

use anyhow::Result;
use libc::sock_filter;

use crate::calls::Calls;
use crate::{Args, Profile, disassemble, seccomp};

/// Inside, last of all: from here on nothing can be mounted any more.
pub fn install(args: &Args) -> Result<()> {
    filter(args).as_deref().map_or(Ok(()), seccomp::install)
}

/// The filter in words, for `--dump-seccomp`.
pub fn dump(args: &Args) -> String {
    match filter(args) {
        Some(program) => disassemble::disassemble(&program),
        None => "; no filter: every system call is allowed\n".into(),
    }
}

fn filter(args: &Args) -> Option<Vec<sock_filter>> {
    let program = || seccomp::program(&Calls::default());
    (args.seccomp == Profile::Default).then(program)
}
