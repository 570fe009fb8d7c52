//! `linux.seccomp`: a filter that others have described.
//!
//! step08 filters by a policy of its own. Here config.json brings the policy:
//! names of calls, what to answer to each, conditions on their arguments, and
//! for which architectures. What the words mean was settled by the library
//! libseccomp, whose constants the specification takes; where it is silent,
//! we do as runc does with that library, for the profiles were tried with it.
//!
//! - [`arch`] - the architectures, and the numbers of their calls.
//! - [`words`] - actions, operators and flags as they are written.
//! - [`rules`] - the profile as a table: what is answered to which number.
//! - [`program`] - the table as a program for the kernel.
//! - [`listener`] - hands the descriptor of SCMP_ACT_NOTIFY to its agent.

pub mod arch;
pub mod listener;
pub mod program;
pub mod rules;
pub mod words;

mod install;

use crate::config::seccomp::Seccomp;
use anyhow::{Result, ensure};
use arch::Arch;
use libc::sock_filter;
use rules::Table;
use std::os::fd::OwnedFd;

/// The longest program that the kernel takes: BPF_MAXINSNS,
/// linux/bpf_common.h.
const LONGEST: usize = 4096;

/// A filter that is ready to be installed.
#[derive(Debug, Clone)]
pub struct Filter {
    program: Vec<sock_filter>,
    /// For seccomp(2): `SECCOMP_FILTER_FLAG_*`.
    flags: libc::c_ulong,
}

impl Filter {
    /// Makes the filter of this profile, or `None` where it says nothing. It
    /// asks the kernel for nothing, so it is called before the process is
    /// made, and a wrong profile costs nothing.
    ///
    /// # Errors
    /// Naming the field: an unknown action, operator, architecture or flag; an
    /// errno for an action that has none, or beyond its range; an argument
    /// above 5; two actions for the same condition; a profile whose program
    /// would be longer than the kernel's 4096 instructions; SCMP_ACT_NOTIFY
    /// where it cannot be.
    pub fn build(profile: &Seccomp) -> Result<Option<Filter>> {
        Filter::build_for(profile, Arch::NATIVE)
    }

    /// The same for a kernel of another architecture.
    ///
    /// # Errors
    /// As [`Filter::build`].
    pub fn build_for(
        profile: &Seccomp,
        native: Arch,
    ) -> Result<Option<Filter>> {
        if profile.default_action.is_empty() && profile.syscalls.is_empty() {
            return Ok(None);
        }
        let default = rules::default_action(profile)?;
        let mut tables = Vec::new();
        for arch in arch::chosen(&profile.architectures, native)? {
            tables.push(Table::build(profile, default, arch)?);
        }
        let flags = words::flags(profile)? | rules::listener_flag(profile)?;
        ensure!(
            flags & words::WAIT_KILLABLE_RECV == 0
                || flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0,
            "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV \
             needs a rule with SCMP_ACT_NOTIFY"
        );
        let program = program::program(&tables);
        let length = program.len();
        ensure!(
            length <= LONGEST,
            "linux.seccomp.syscalls: a program of {length} instructions, and \
             the kernel takes {LONGEST}"
        );
        Ok(Some(Filter { program, flags }))
    }

    /// Puts it on the calling thread, for good. With SCMP_ACT_NOTIFY in the
    /// profile it returns the descriptor on which the kernel asks the agent
    /// (close-on-exec; seccomp_unotify(2)).
    ///
    /// It needs no_new_privs or CAP_SYS_ADMIN in the user namespace. From here
    /// on the caller's own calls are filtered too.
    ///
    /// # Errors
    /// EACCES without either; EINVAL when the kernel lacks a flag; EBUSY when
    /// a filter with a listener is on already.
    pub fn install(&self) -> Result<Option<OwnedFd>> {
        install::install(&self.program, self.flags)
    }

    /// Will [`Filter::install`] return a descriptor?
    pub fn notifies(&self) -> bool {
        self.flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
    }

    /// The program, as the kernel gets it.
    pub fn program(&self) -> &[sock_filter] {
        &self.program
    }
}
