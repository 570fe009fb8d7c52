//! A kernel that says no: one system call of a rung answers with an error.
//!
//! What a rung does with the kernel's answer shows only where there is an
//! error, and a kernel that works gives none. So a small filter (step08 has
//! the lesson about them) is put on the rung before it starts.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;
use libc::{
    SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, c_long, sock_filter, sock_fprog,
};
use nix::errno::Errno;
use step08::bpf::{
    EQUAL, NEXT, NUMBER, answer, answer_errno, argument, jump, load,
};

use super::report::Report;
use super::{Attempt, running};

/// A call that is refused: its number, what some of its arguments are, where
/// that tells which of several calls is meant, and what the kernel seems to
/// answer.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// SYS_…
    pub call: c_long,
    /// The index of an argument, from 0, and its low half.
    pub arguments: &'a [(usize, u32)],
    /// The answer; `UnknownErrno`, which is 0, is none: the call seems to have
    /// answered 0.
    pub errno: Errno,
}

impl Attempt {
    /// When the kernel refuses this call, does the rung stop before its
    /// command runs, and say so?
    ///
    /// # Errors
    /// [`NotMet`](super::expect::NotMet), or it cannot be started.
    pub fn stops_when(
        &mut self,
        what: &str,
        flags: &[&str],
        refused: &[Refused<'_>],
        mistake: &str,
    ) -> Result<()> {
        let report =
            self.run_refused(flags, "echo it ran all the same", refused)?;
        let has_run = report.stdout.contains("it ran all the same");
        let is_met = !has_run && report.status.is_some_and(|it| it != 0);
        let found = match has_run {
            true => "the command ran all the same".into(),
            false => report.words(),
        };
        self.found(what, is_met, found, "an error of the launcher's", mistake)
    }

    /// Runs a script where the kernel refuses these calls.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run_refused(
        &self,
        flags: &[&str],
        script: &str,
        refused: &[Refused<'_>],
    ) -> Result<Report> {
        let mut command = self.command(flags, script);
        refuse(&mut command, refused);
        running::run(command)
    }
}

/// Puts the filter on what `command` starts.
pub fn refuse(command: &mut Command, refused: &[Refused<'_>]) {
    let mut filter = filter(refused);
    let install = move || {
        let program = sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_mut_ptr(),
        };
        // SAFETY: `program` names all of `filter`, which outlives the call.
        let answer = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        Errno::result(answer).map(drop).map_err(io::Error::from)
    };
    // SAFETY: between fork and exec this makes one system call, and allocates
    // nothing.
    unsafe { command.pre_exec(install) };
}

/// Asks for one call after the other: the number, and then its arguments.
fn filter(refused: &[Refused<'_>]) -> Vec<sock_filter> {
    let mut filter = vec![];
    for Refused { call, arguments, errno } in refused {
        // What is not equal goes on behind this block.
        let mut left = 2 * arguments.len() as u8 + 1;
        filter.push(load(NUMBER));
        filter.push(jump(EQUAL, *call as u32, NEXT, left));
        for (index, value) in *arguments {
            left -= 2;
            filter.push(load(argument(*index)));
            filter.push(jump(EQUAL, *value, NEXT, left));
        }
        filter.push(answer_errno(*errno as i32));
    }
    filter.push(answer(SECCOMP_RET_ALLOW));
    filter
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_the_call_that_is_meant_is_refused() {
        let succeeds = |arguments| {
            let call = libc::SYS_kill;
            let errno = Errno::EPERM;
            let mut command = Command::new("sh");
            command.args(["-c", "kill -0 $$"]);
            let other = Refused { call: -1, arguments: &[], errno };
            refuse(&mut command, &[other, Refused { call, arguments, errno }]);
            command.output().map(|output| output.status.success())
        };
        if !nix::unistd::geteuid().is_root() {
            // Who has no powers may not filter (seccomp(2)).
            let error = succeeds(&[]).expect_err("EACCES");
            return assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        }
        assert!(!succeeds(&[]).expect("start it"));
        assert!(!succeeds(&[(1, 0)]).expect("start it"));
        for control in [&[(1, 9)], &[(0, 0)]] {
            assert!(succeeds(control).expect("start it"), "the control");
        }
    }
}
