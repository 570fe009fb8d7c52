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
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::SignalFd;

use crate::child::{Ending, Process, close_all_but};
use crate::command::Command;
use crate::failure::{self, Advice, Failure};
use crate::gate::{self, Gate, Message};
use crate::narrator::{self, Look, Subject};
use crate::performance::{Outcome, Performance};
use crate::process;
use crate::terminal::{self, Borrowed, Terminal};
use crate::unwritten::catch;
use crate::watch;

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
                    break Subject { pid: process.pid, hostname, label };
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
            close_all_but(&[Some(gate.as_fd().as_raw_fd())]);
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

/// Asks the kernel for SIGKILL when the launcher dies, even if that was killed
/// itself (prctl(2), PR_SET_PDEATHSIG). If it is dead already, the gate says
/// end-of-file. From step02 on this process is PID 1, and when PID 1 dies the
/// kernel kills all others in its namespace; before that, its own children
/// live on.
fn die_with_launcher() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .context("set the parent-death signal")
}

/// A parent that ignores SIGCHLD has passed that on to us, and then the kernel
/// keeps no dead child until it is waited for: its exit status would be lost.
fn keep_zombies() {
    use nix::sys::signal::{SigHandler, signal};
    // SAFETY: SIG_DFL is no handler of ours that could do something unsafe.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// Undoes what this process has inherited from a Rust program: blocked
/// signals, and SIGPIPE ignored. execve(2) would keep both.
fn as_any_program_starts() -> Result<()> {
    use nix::sys::signal::{SigHandler, signal, sigprocmask};
    // SAFETY: SIG_DFL is no handler of ours that could do something unsafe.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .context("unblock signals")
}

/// Waits for a message, but not longer than the user does: an interrupt ends
/// a set-up that hangs.
fn hear(gate: &Gate, signals: &SignalFd) -> Result<Message> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [gate.as_fd(), signals.as_fd()]
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait at the gate"),
        }
        if fds[0].any() == Some(true) {
            return listen(gate);
        }
        let signal = signals.read_signal()?.map_or(0, |info| info.ssi_signo);
        if watch::is_for_command(signal as i32) {
            return Err(Failure {
                status: 128 + signal as u8,
                message: "interrupted while the container was set up".into(),
            }
            .into());
        }
    }
}

/// What the process has said before it ended, if that was an error: then what
/// went wrong in the launcher is only the consequence.
fn last_words(gate: &Gate) -> Option<Error> {
    loop {
        match listen(gate) {
            Ok(Message::Closed) => return None,
            Ok(_) => {}
            Err(error) => return error.is::<Failure>().then_some(error),
        }
    }
}

/// Waits for a message, and takes the error for one.
fn listen(gate: &Gate) -> Result<Message> {
    match gate.hear()? {
        Message::Failed(failure) => Err(failure.into()),
        message => Ok(message),
    }
}

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
