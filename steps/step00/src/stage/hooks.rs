//! What the rungs above add to the stage, each at its own moment.
//!
//! The stage knows nothing of what a rung puts on. A rung that has something
//! to do at such a moment leaves a function here, and keeps the reason for it
//! in its own code.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::{BorrowedFd, OwnedFd};

use anyhow::Result;

use super::gate::Gate;
use super::streams::Streams;
use crate::child::Process;
use crate::command::Command;

/// How the process goes on once all is set up. Returns only on failure.
pub type Exec<'a> = &'a dyn Fn(&Command) -> Result<Infallible>;

/// What the launcher does for a process that waits for it, or is going to.
pub type Asked<'a> = &'a dyn Fn(&Process) -> Result<()>;

/// Another way to make the process than by a plain clone3(2).
pub trait Fork {
    /// Makes it, with these `CLONE_NEW*` and in this cgroup, as the launcher's
    /// own child. As fork(2), it returns twice: `None` in the new process.
    fn fork(
        &self,
        flags: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Process>>;
}

/// Reads what only the new process can read of itself.
pub type Fact = fn() -> Result<String>;

/// What the new process has handed over, by name.
pub type HandedOver = BTreeMap<String, OwnedFd>;

/// Takes what it knows of what was handed over, and says which of the caller's
/// streams the launcher is to carry.
pub type Carry = fn(&mut HandedOver) -> Result<Streams>;

/// Would the kernel drop this signal if it were sent to the command now?
pub type Drops = fn(&Process, i32) -> Option<Dropped>;

/// Why a signal does not arrive.
#[derive(Debug)]
pub struct Dropped {
    /// The kernel's reason.
    pub why: &'static str,
    /// What makes it arrive.
    pub remedy: &'static str,
}

/// The functions, in the order in which they are called.
pub struct Hooks<'a> {
    /// In the launcher, just before the process is made.
    pub before_birth: Option<&'a dyn Fn() -> Result<()>>,
    /// In the launcher, in place of clone3(2).
    pub fork: Option<&'a dyn Fork>,
    /// In the launcher, while `inside` runs: its part of what that needs later
    /// on, and waits for then ([`Gate::meet`]).
    pub meanwhile: Option<Asked<'a>>,
    /// In the launcher, when `inside` asks for it ([`Gate::ask`]).
    pub asked: Option<Asked<'a>>,
    /// In the new process, after `inside`: the launcher looks at it next.
    pub before_ready: Vec<fn(&Gate) -> Result<()>>,
    /// In the new process: what only that can read, for the ledger. See
    /// [`Subject::fact`](crate::Subject::fact).
    pub facts: Vec<(&'static str, Fact)>,
    /// In the launcher, when the process is ready.
    pub streams: Carry,
    /// In the new process, last of all before `exec`. The gate must stay open.
    pub before_exec: Vec<fn(&Gate) -> Result<()>>,
    /// In the new process, as its user: the `HOME` of a command that has been
    /// given none. Without this, what the launcher has is handed on.
    pub home: Option<fn() -> OsString>,
    /// execve(2) as it is, or as the child of an init.
    pub exec: Exec<'a>,
    /// In the launcher, when there is a signal for the command.
    pub drops: Drops,
}
