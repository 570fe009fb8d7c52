//! The new process's side of the stage, from its birth to execve(2).

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Error, Result};

use super::gate::Gate;
use super::hooks::Hooks;
use super::inherited::{as_any_program_starts, die_with_launcher};
use super::terminal::{self, TERMINAL};
use crate::command::Command;
use crate::failure::{Advice, Failure};
use crate::finish::report;
use crate::unwritten::catch;

/// What runs when no command is named.
pub(super) const SHELL: &str = "/bin/sh";

/// What the new process needs to know of the stage.
pub(super) struct NewProcess<'a> {
    /// The rung's name, for messages.
    pub(super) rung: &'static str,
    pub(super) command: &'a Command,
    /// Is that the default shell, because no command was named?
    pub(super) is_default: bool,
    /// Is it to have a terminal of its own?
    pub(super) has_terminal: bool,
    pub(super) hooks: &'a Hooks<'a>,
}

impl NewProcess<'_> {
    /// All that it does up to execve(2). Never returns: the functions that
    /// called this one are the launcher's, and only the launcher may finish
    /// them.
    pub(super) fn live(
        &self,
        gate: &Gate,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> ! {
        let Err(error) = catch(|| self.set_up(gate, inside));
        let failure = Failure::from_error(&error);
        if !gate.fail(&failure) {
            report(self.rung, &failure);
        }
        // SAFETY: _exit takes no pointer, and runs no destructor of ours.
        unsafe { libc::_exit(failure.status.into()) }
    }

    fn set_up(
        &self,
        gate: &Gate,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> Result<Infallible> {
        die_with_launcher()?;
        gate.wait()?;
        inside(gate)?;
        // Once more: a change of user, if `inside` has made one, has cancelled
        // the first call (PR_SET_PDEATHSIG(2const)).
        die_with_launcher()?;
        self.hooks.before_ready.iter().try_for_each(|hook| hook(gate))?;
        let slave = match self.has_terminal {
            true => {
                let (master, slave) = terminal::open()?;
                gate.hand_over(TERMINAL, master.as_fd())?;
                Some(slave)
            }
            false => None,
        };
        self.look_for_shell()?;
        for (name, fact) in &self.hooks.facts {
            gate.tell(name, &fact()?)?;
        }
        gate.ready()?;
        gate.wait()?;
        if let Some(slave) = slave {
            terminal::attach(slave.as_fd())?;
            // Left open: execve(2) closes it, or an init does.
            std::mem::forget(slave);
        }
        as_any_program_starts()?;
        self.hooks.before_exec.iter().try_for_each(|hook| hook(gate))?;
        let mut command = self.command.clone();
        if let (Some(home), false) = (self.hooks.home, command.has("HOME")) {
            command.set("HOME", home());
        }
        (self.hooks.exec)(&command)
    }

    /// If the default shell is missing, the error is about the root, not about
    /// the command: nobody has asked for /bin/sh by name.
    fn look_for_shell(&self) -> Result<()> {
        if !self.is_default || Path::new(SHELL).exists() {
            return Ok(());
        }
        Err(Error::msg(format!("there is no {SHELL} in this root")))
            .advice("name a command, or see: cargo workshop rootfs --help")
    }
}
