//! The stage: it makes the process, holds it at the gate while the launcher
//! does its part, and sees it through to the end. Every rung stands on it.
//!
//! ```text
//!   launcher                           new process
//!   --------                           -----------
//!   fork ----------------------------> waits at the gate
//!   `outside` (maps, cable …)
//!   opens the gate ------------------> `inside` (hostname, mounts …)
//!   reads the ledger  <--------------- says "ready", waits again
//!   opens the gate ------------------> execve
//!   waits  <-------------------------- ends
//! ```

mod gate;
mod guardian;
mod hooks;
mod inherited;
mod relay;
mod running;
mod signals;
mod terminal;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Error, Result, bail};
use nix::sys::signalfd::SignalFd;

use crate::child::{Ending, Process};
use crate::command::Command;
use crate::failure::{Advice, Failure};
use crate::finish::report;
use crate::narrator::{self, Reader, Subject};
use crate::process;
use crate::unwritten::catch;

use gate::Message;
use inherited::{as_any_program_starts, die_with_launcher, keep_zombies};
use relay::Relay;
use terminal::Borrowed;

pub use gate::Gate;
pub use guardian::Guardian;
pub use hooks::{Dropped, Drops, Exec, Fact, Hooks};
pub use running::{Outcome, Running};

/// What runs when no command is named.
const SHELL: &str = "/bin/sh";

/// The name under which the container's terminal crosses the gate.
const TERMINAL: &str = "terminal";

/// Everything that a rung decides before the process exists.
pub struct Stage<'a> {
    /// The rung's name, for messages.
    pub rung: &'static str,
    /// What it will execute.
    pub command: Command,
    /// Was no command named, and it is the shell therefore?
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

/// What the new process has handed over by the time it is ready.
type HandedOver = BTreeMap<String, OwnedFd>;

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
                before_ready: Vec::new(),
                facts: Vec::new(),
                before_exec: Vec::new(),
                exec: process::execute,
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
        keep_zombies();
        let has_terminal = self.own_terminal && terminal::is_wanted();
        let signals = signals::block(has_terminal)?;
        let (gate, other_side) = gate::pair()?;
        let borrowed = has_terminal.then(Borrowed::new).transpose()?;
        self.hooks.before_birth.map_or(Ok(()), |hook| hook())?;
        let process = process::fork(self.flags, self.cgroup)
            .context("make the process with clone3")
            .advice(why_not(self.flags))?;
        let Some(process) = process else {
            drop(gate);
            borrowed.into_iter().for_each(Borrowed::leave);
            self.live(&other_side, has_terminal, inside);
        };
        drop(other_side);
        let accompanied = catch(|| {
            outside(&process)?;
            gate.open()?;
            self.accompany(&gate, &process, &signals, borrowed, ledger)
        });
        let (relay, handed_over) = accompanied.map_err(|error| {
            process.kill();
            gate.last_words().unwrap_or(error)
        })?;
        let (command, drops) = (self.command, self.hooks.drops);
        Ok(Running::new(process, command, signals, relay, drops, handed_over))
    }

    /// The launcher's side, from the first opening of the gate until the
    /// command runs.
    fn accompany(
        &self,
        gate: &Gate,
        process: &Process,
        signals: &SignalFd,
        borrowed: Option<Borrowed>,
        ledger: &[Reader],
    ) -> Result<(Option<Relay>, HandedOver)> {
        let mut subject = Subject::new(process.pid);
        let mut handed_over = HandedOver::new();
        loop {
            match gate.receive_unless_interrupted(signals)? {
                Message::Ready => break,
                Message::Fact(name, value) => {
                    subject.facts.insert(name, value);
                }
                Message::Descriptor(name, descriptor) => {
                    handed_over.insert(name, descriptor);
                }
                Message::Closed => bail!("{}", died_early(process)),
                other => bail!("receive {other:?} too early"),
            }
        }
        if !self.quiet {
            narrator::tell(self.rung, &subject, ledger)?;
        }
        let relay = match borrowed {
            Some(real) => {
                let master = handed_over.remove(TERMINAL);
                let master = master.context("get its terminal")?;
                Some(Relay::new(real.make_raw(master)?))
            }
            None => None,
        };
        gate.open()?;
        // Closed by a successful execve(2), or by death. From here on signals
        // are for the command: they wait until it can have them.
        while !matches!(gate.receive_or_error()?, Message::Closed) {}
        Ok((relay, handed_over))
    }

    /// The new process's side. Never returns: what is above on this stack is
    /// the launcher's, and is for the launcher to finish.
    fn live(
        &self,
        gate: &Gate,
        has_terminal: bool,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> ! {
        let Err(error) = catch(|| self.set_up(gate, has_terminal, inside));
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
        has_terminal: bool,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> Result<Infallible> {
        die_with_launcher()?;
        gate.wait()?;
        inside(gate)?;
        // A change of user, if `inside` has made one, has cancelled the first
        // (PR_SET_PDEATHSIG(2const)).
        die_with_launcher()?;
        self.hooks.before_ready.iter().try_for_each(|hook| hook())?;
        let slave = match has_terminal {
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
            // For execve(2) to close, or an init: never for us.
            std::mem::forget(slave);
        }
        as_any_program_starts()?;
        self.hooks.before_exec.iter().try_for_each(|hook| hook(gate))?;
        (self.hooks.exec)(&self.command)
    }

    /// Nobody has asked for /bin/sh by name when it is the default: so that
    /// it is missing says something about the root, not about the command.
    fn look_for_shell(&self) -> Result<()> {
        match self.is_default && !std::path::Path::new(SHELL).exists() {
            true => {
                Err(Error::msg(format!("there is no {SHELL} in this root")))
                    .advice(
                        "name a command, or see: cargo workshop rootfs --help",
                    )
            }
            false => Ok(()),
        }
    }
}

/// In words, when it has ended before it said that it was ready.
fn died_early(process: &Process) -> String {
    match process::wait(process) {
        Ok(Ending::Killed(libc::SIGKILL)) => {
            "the process was killed while it was set up; its memory limit \
             may be too small for that"
                .into()
        }
        Ok(ending) => format!("the process ended too early: {ending:?}"),
        Err(error) => format!("{error:#}"),
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
