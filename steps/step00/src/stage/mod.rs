//! The stage on which every rung performs: it makes the process, holds it at
//! the gate while the launcher does its part, and sees it through to the end.
//!
//! ```text
//!   launcher                           new process
//!   --------                           -----------
//!   fork ----------------------------> waits at the gate
//!   `outside` (maps, cable …)
//!   opens the gate ------------------> `inside` (hostname, mounts …)
//!   reads the ledger  <--------------- says "ready", waits again
//!   opens the gate ------------------> execve
//!   watches <------------------------- ends
//! ```

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Error, Result, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signalfd::SignalFd;

use crate::child::{Process, close_all_but};
use crate::command::Command;
use crate::failure::{self, Advice, Failure};
use crate::narrator::{self, Look, Subject};
use crate::process;
use crate::unwritten::catch;

mod gate;
mod guardian;
mod inherited;
mod listen;
mod running;
mod terminal;
mod watch;

pub use gate::Gate;
pub use guardian::Guardian;
pub use running::{Outcome, Performance};

use gate::Message;
use inherited::{as_any_program_starts, die_with_launcher, keep_zombies};
use listen::{died_early, hear, last_words, listen};
use terminal::{Borrowed, Terminal};

/// What runs when no command is named.
const SHELL: &str = "/bin/sh";

/// How the process goes on once all is set up. Returns only on failure.
pub type Finale = fn(&Command) -> Result<Infallible>;

/// Everything that a rung decides before the process exists.
pub struct Stage<'a> {
    /// The rung's name, for messages.
    pub rung: &'static str,
    /// What it will execute.
    pub command: Command,
    /// Was no command named, and it is the shell therefore?
    is_default: bool,
    /// The namespaces it is born with: `CLONE_NEW*`, 0 for none.
    pub flags: u64,
    /// The namespaces of another process that it joins, with `inside`.
    pub joined: u64,
    /// A process in whose PID namespace it is to be born, and what the
    /// launcher must join for that: setns(2) moves only later children.
    pub birthplace: Option<(BorrowedFd<'a>, CloneFlags)>,
    /// The cgroup it is born in, if not the launcher's.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// execve(2) as it is, or as the child of an init.
    pub finale: Finale,
    /// Whether to keep the ledger to ourselves.
    pub quiet: bool,
}

impl<'a> Stage<'a> {
    /// A stage without any blindfold.
    pub fn new(rung: &'static str, args: &crate::Args) -> Stage<'a> {
        keep_zombies();
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
            joined: 0,
            birthplace: None,
            cgroup: None,
            finale: process::execute,
            quiet: args.quiet,
        }
    }

    /// Runs the whole performance, from beginning to end.
    ///
    /// # Errors
    /// As for [`Stage::begin`].
    pub fn perform(
        self,
        outside: impl FnOnce(&Process) -> Result<()>,
        inside: impl FnOnce(&Gate) -> Result<()>,
        looks: &[Look],
    ) -> Result<Outcome> {
        self.begin(outside, inside, looks)?.until_end()
    }

    /// Makes the process and sees it through to execve(2).
    ///
    /// `outside` runs in the launcher while the new process waits; `inside`
    /// runs in the new process while the launcher waits. `looks` are the
    /// rungs' parts of the ledger.
    ///
    /// # Errors
    /// Whatever either side stopped at. The process is gone by then.
    pub fn begin(
        self,
        outside: impl FnOnce(&Process) -> Result<()>,
        inside: impl FnOnce(&Gate) -> Result<()>,
        looks: &[Look],
    ) -> Result<Performance> {
        let signals = watch::signals(self.needs_terminal())?;
        let (gate, other_side) = gate::pair()?;
        let borrowed =
            self.needs_terminal().then(Borrowed::new).transpose()?;
        if let Some((pidfd, flags)) = self.birthplace {
            setns(pidfd, flags).context("join the PID namespace")?;
        }
        let process = process::fork(self.flags, self.cgroup)
            .context("make the process with clone3")
            .advice(why_not(self.flags))?;
        let Some(process) = process else {
            drop(gate);
            borrowed.into_iter().for_each(Borrowed::leave);
            self.live(&other_side, inside);
        };
        drop(other_side);
        let accompanied = catch(|| {
            self.accompany(&gate, &process, &signals, borrowed, outside, looks)
        });
        let (terminal, handed_over) = accompanied.map_err(|error| {
            process.kill();
            last_words(&gate).unwrap_or(error)
        })?;
        Ok(Performance {
            process,
            signals,
            terminal,
            is_first: self.flags & libc::CLONE_NEWPID as u64 != 0,
            handed_over,
            is_over: false,
        })
    }

    /// The launcher's side, until the command runs.
    fn accompany(
        &self,
        gate: &Gate,
        process: &Process,
        signals: &SignalFd,
        borrowed: Option<Borrowed>,
        outside: impl FnOnce(&Process) -> Result<()>,
        looks: &[Look],
    ) -> Result<(Option<Terminal>, Vec<OwnedFd>)> {
        outside(process)?;
        gate.open()?;
        let mut handed_over = Vec::new();
        let subject = loop {
            match hear(gate, signals)? {
                Message::Ready { hostname, label } => {
                    break Subject::new(process.pid, hostname, label);
                }
                Message::Descriptor(descriptor) => {
                    handed_over.push(descriptor)
                }
                Message::Closed => bail!("{}", died_early(process)),
                other => bail!("hear {other:?} too early"),
            }
        };
        if !self.quiet {
            narrator::tell(self.rung, &subject, looks)?;
        }
        // The container's terminal is the last that was handed over.
        let terminal = match borrowed {
            Some(real) => {
                let master = handed_over.pop().context("get its terminal")?;
                Some(real.make_raw(master)?)
            }
            None => None,
        };
        gate.open()?;
        // Closed by a successful execve(2), or by death. From here on signals
        // are for the command: they wait until it can have them.
        while !matches!(listen(gate)?, Message::Closed) {}
        Ok((terminal, handed_over))
    }

    /// The new process's side. Never returns: what is above on this stack is
    /// the launcher's, and is for the launcher to finish.
    fn live(
        &self,
        gate: &Gate,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> ! {
        let Err(error) = catch(|| self.prepare(gate, inside));
        let failure = Failure::from_error(&error);
        if !gate.fail(&failure) {
            failure::report(self.rung, &failure);
        }
        // SAFETY: _exit takes no pointer, and runs no destructor of ours.
        unsafe { libc::_exit(failure.status.into()) }
    }

    fn prepare(
        &self,
        gate: &Gate,
        inside: impl FnOnce(&Gate) -> Result<()>,
    ) -> Result<Infallible> {
        die_with_launcher()?;
        gate.wait()?;
        inside(gate)?;
        // A change of user id has cancelled the first one.
        die_with_launcher()?;
        // It has also given this process's files in /proc to the machine's
        // root, and the launcher is to read them, whoever that is. But where
        // others live already, they would read a copy of the launcher.
        if self.joined == 0 {
            prctl::set_dumpable(true).context("make /proc/PID readable")?;
        }
        let slave = match self.needs_terminal() {
            true => {
                let (master, slave) = terminal::open()?;
                gate.hand_over(master.as_fd())?;
                Some(slave)
            }
            false => None,
        };
        self.look_for_shell()?;
        let name = nix::unistd::gethostname().context("read the hostname")?;
        gate.ready(&name.to_string_lossy(), &narrator::label_at_execve())?;
        gate.wait()?;
        if let Some(slave) = slave {
            terminal::attach(slave.as_fd())?;
            // For execve(2) to close, or an init: never for us.
            std::mem::forget(slave);
        }
        as_any_program_starts()?;
        if self.is_apart(libc::CLONE_NEWNS) {
            // What the launcher was started with beside stdin, stdout and
            // stderr, and what it has opened itself, is not for the container.
            // Close-on-exec would be too late: execve(2) looks for the program
            // before it closes anything, and the image may hold a symbolic
            // link to /proc/self/fd/7/bin/sh (CVE-2024-21626).
            close_all_but(&[Some(gate.as_fd().as_raw_fd())])
                .context("close what the launcher has open")?;
        }
        (self.finale)(&self.command)
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

    /// In a new PID namespace the terminal's process groups have no number.
    fn needs_terminal(&self) -> bool {
        self.is_apart(libc::CLONE_NEWPID) && terminal::is_wanted()
    }

    /// Is it in a namespace of this kind that is not the launcher's?
    fn is_apart(&self, flag: i32) -> bool {
        (self.flags | self.joined) & flag as u64 != 0
    }
}

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
