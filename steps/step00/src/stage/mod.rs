//! The stage: it makes the process, holds it at the gate while the launcher
//! does its part, and sees it through to the end. Every rung stands on it.
//!
//! ```text
//!   launcher                           new process
//!   --------                           -----------
//!   fork ----------------------------> waits at the gate
//!   `outside` (maps …)
//!   opens the gate ------------------> `inside` (hostname, mounts …)
//!   `meanwhile` (cable …) -----------> `inside`, where it needs that
//!   reads the ledger  <--------------- says "ready", waits again
//!   opens the gate ------------------> execve
//!   waits  <-------------------------- ends
//! ```

mod belt;
mod gate;
mod guardian;
mod hooks;
mod inherited;
mod inside;
mod outside;
mod relay;
mod running;
mod signals;
mod streams;
mod terminal;

use std::ffi::OsString;
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result};

use crate::child::Process;
use crate::command::Command;
use crate::failure::Advice;
use crate::narrator::{self, Reader, Subject};
use crate::process;
use crate::unwritten::catch;

use inside::{NewProcess, SHELL};
use terminal::Borrowed;

pub(crate) use belt::IS_WORN;
pub use gate::Gate;
pub use guardian::Guardian;
pub use hooks::{Carry, Dropped, Drops, Exec, Fact, Fork, HandedOver, Hooks};
pub use running::{Outcome, Running};
pub use streams::Streams;
pub use terminal::{attach_whole, pair, pair_within};

/// Everything that a rung decides before the process exists.
pub struct Stage<'a> {
    /// The rung's name, for messages.
    pub rung: &'static str,
    /// What it will execute.
    pub command: Command,
    /// Is that the default shell, because no command was named?
    is_default: bool,
    /// The namespaces it is born with: `CLONE_NEW*`, 0 for none.
    flags: u64,
    /// The cgroup it is born in, if not the launcher's.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Does it need a terminal of its own, where the launcher has one?
    pub own_terminal: bool,
    /// What is to be done at moments that only the stage can see.
    pub hooks: Hooks<'a>,
    /// Whether to keep the ledger to ourselves.
    pub quiet: bool,
}

impl<'a> Stage<'a> {
    /// A stage without any blindfold.
    pub fn new(rung: &'static str, args: &crate::Args) -> Stage<'a> {
        let mut arguments = args.command.clone();
        let is_default = arguments.is_empty();
        if is_default {
            arguments.push(OsString::from(SHELL));
        }
        let environment = std::env::vars_os().collect();
        let mut command = Command { arguments, environment };
        command.set("PS1", format!("{rung} (your real files) {} ", sign()));
        Stage {
            rung,
            command,
            is_default,
            flags: 0,
            cgroup: None,
            own_terminal: false,
            hooks: Hooks {
                before_birth: None,
                fork: None,
                meanwhile: None,
                asked: None,
                before_ready: Vec::new(),
                facts: Vec::new(),
                streams: |_| Ok(Streams::default()),
                before_exec: Vec::new(),
                home: None,
                exec: &process::execute,
                drops: |_, _| None,
            },
            quiet: args.quiet,
        }
    }

    /// Puts a blindfold on: the process is born in a new namespace of this
    /// kind, one of `CLONE_NEW*`. 0 is none.
    pub fn blind(&mut self, namespace: libc::c_int) {
        self.flags |= namespace as u64;
    }

    /// Runs the command from beginning to end.
    ///
    /// # Errors
    /// As for [`Stage::start`].
    pub fn run(
        self,
        outside: impl FnOnce(&Process) -> Result<()>,
        inside: impl FnOnce(&Gate) -> Result<()>,
        ledger: &[Reader],
    ) -> Result<Outcome> {
        self.start(outside, inside, ledger)?.until_end()
    }

    /// Makes the process and sees it through to execve(2).
    ///
    /// `outside` runs in the launcher while the new process waits; `inside`
    /// runs in the new process while the launcher waits. `ledger` is what the
    /// rungs read back from the kernel once both are done.
    ///
    /// # Errors
    /// Whatever either side stopped at. The process is gone by then.
    pub fn start(
        self,
        outside: impl FnOnce(&Process) -> Result<()>,
        inside: impl FnOnce(&Gate) -> Result<()>,
        ledger: &[Reader],
    ) -> Result<Running> {
        belt::fasten(self.flags)?;
        let has_terminal = self.own_terminal && terminal::is_wanted();
        let signals = signals::block(has_terminal)?;
        let (gate, other_side) = gate::pair()?;
        let borrowed = has_terminal.then(Borrowed::new).transpose()?;
        self.hooks.before_birth.map_or(Ok(()), |hook| hook())?;
        let process = match self.hooks.fork {
            Some(other) => other.fork(self.flags, self.cgroup)?,
            None => process::fork(self.flags, self.cgroup)
                .context("make the process with clone3")
                .advice(why_not(self.flags))?,
        };
        let Some(process) = process else {
            drop(gate);
            borrowed.into_iter().for_each(Borrowed::leave);
            let Stage { rung, command, is_default, hooks, .. } = &self;
            let (rung, is_default) = (*rung, *is_default);
            NewProcess { rung, command, is_default, has_terminal, hooks }
                .live(&other_side, inside);
        };
        drop(other_side);
        let tell = |subject: &Subject| match self.quiet {
            true => Ok(()),
            false => narrator::tell(self.rung, subject, ledger),
        };
        let accompanied = catch(|| {
            belt::look_at(&process, self.flags)?;
            outside(&process)?;
            gate.open()?;
            let hooks = &self.hooks;
            if let Some(hook) = hooks.meanwhile {
                hook(&process)?;
                gate.come_to()?;
            }
            outside::accompany(
                &gate, &process, &signals, borrowed, hooks, tell,
            )
        });
        let (carried, handed_over) = accompanied.map_err(|error| {
            process.kill();
            gate.last_words().unwrap_or(error)
        })?;
        let (command, drops) = (self.command, self.hooks.drops);
        Ok(Running::new(
            process,
            command,
            signals,
            carried,
            drops,
            handed_over,
        ))
    }
}

/// What may be wrong when clone3(2) has refused these flags.
fn why_not(flags: u64) -> &'static str {
    let is_root = nix::unistd::geteuid().is_root();
    match flags & libc::CLONE_NEWUSER as u64 != 0 {
        _ if flags == 0 => "see ulimit -u and pids.max: too many processes?",
        true => "see /proc/sys/user/max_user_namespaces: is it 0?",
        false if is_root => "this root lacks CAP_SYS_ADMIN (in a container?)",
        false => {
            "a namespace takes root: sudo, or cargo run, which asks for it"
        }
    }
}

/// The sign at the end of a prompt: `#` for root.
fn sign() -> char {
    match nix::unistd::geteuid().is_root() {
        true => '#',
        false => '$',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(command: &[&str]) -> Stage<'static> {
        let command = command.iter().map(OsString::from).collect();
        Stage::new("step00", &crate::Args { quiet: true, command })
    }

    #[test]
    fn blindfolds_add_up() {
        let mut stage = stage(&["true"]);
        assert_eq!(stage.flags, 0);
        stage.blind(libc::CLONE_NEWUTS);
        stage.blind(0);
        stage.blind(libc::CLONE_NEWPID);
        stage.blind(libc::CLONE_NEWUTS);
        let both = libc::CLONE_NEWUTS | libc::CLONE_NEWPID;
        assert_eq!(stage.flags, both as u64);
    }

    #[test]
    fn without_a_command_it_is_a_shell() {
        let named = stage(&["a", "b"]);
        assert_eq!(named.command.arguments, ["a", "b"]);
        assert!(!named.is_default);
        let shell = stage(&[]);
        assert_eq!(shell.command.arguments, [SHELL]);
        assert!(shell.is_default);
        let prompt = shell.command.environment.iter();
        let prompt = prompt.rev().find(|(key, _)| key == "PS1");
        let prompt = prompt.expect("a prompt").1.to_string_lossy();
        let sign = if nix::unistd::geteuid().is_root() { '#' } else { '$' };
        let right = format!("step00 (your real files) {sign} ");
        assert_eq!(prompt, right);
    }

    #[test]
    fn the_advice_is_about_what_was_asked_for() {
        assert!(why_not(0).contains("too many processes"));
        let user = why_not((libc::CLONE_NEWUSER | libc::CLONE_NEWPID) as u64);
        assert!(user.contains("max_user_namespaces"), "{user}");
        let other = why_not(libc::CLONE_NEWPID as u64);
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(other.contains("CAP_SYS_ADMIN"), is_root, "{other}");
    }
}
