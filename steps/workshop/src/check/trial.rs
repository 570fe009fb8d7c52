//! Around a trial: what the learner's code does stays in it, and ends with it.
//!
//! ```text
//!   attempt               waits; on Ctrl-C and at the end it kills the trial
//!   └── the trial         as root: PID 1 of a PID namespace, with mounts,
//!       └── the rung …    network and hostname apart from the machine's
//! ```
//!
//! When PID 1 of a namespace dies, the kernel kills all others in it
//! (pid_namespaces(7)), however many they are and whatever they do. A user
//! other than root gets no such namespace, but has little to break: there
//! the orphans come to this process (PR_SET_CHILD_SUBREAPER), which kills them,
//! and a limit on the user's processes stops a fork that never ends.

use std::fs;
use std::os::fd::AsFd;

use anyhow::{Context, Error, Result, ensure};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, geteuid, sethostname};
use step00::folder::Folder;
use step00::proc::Proc;
use step00::{Process, process};
use step05::address::Cable;
use step05::network;

use super::machine::Machine;
use super::outside::act_as_the_machine;
use super::scratch::Scratch;
use super::step12::remove_groups;
use crate::text::tell;

/// Apart from the machine: processes, mounts, network, hostname.
const NAMESPACES: libc::c_int = libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWUTS;

/// How many processes a user may have more than now: a trial needs ten.
const MORE: u64 = 200;

/// What asks a program to end.
const ENDINGS: [Signal; 4] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Runs `trial` in a process of its own, waits for its end and leaves nothing
/// of it. Returns its exit status, or 128+N if signal N came meanwhile.
///
/// # Errors
/// The process cannot be made.
pub fn contained(trial: impl FnOnce() -> u8) -> Result<u8> {
    let signals = block()?;
    let machine = Machine::look();
    let base = Scratch::base()?;
    prctl::set_child_subreaper(true).context("become a subreaper")?;
    let (process, is_apart) = match fork()? {
        (Some(process), is_apart) => (process, is_apart),
        (None, is_apart) => {
            let status = match prepare(is_apart) {
                Ok(()) => trial(),
                Err(error) => {
                    tell(format_args!("{error:#}"));
                    1
                }
            };
            // The functions that called this one are the other process's.
            std::process::exit(status.into())
        }
    };
    let status = wait(&process, &signals)?;
    bury_orphans();
    if is_apart {
        step07::sweep();
        Folder::remove_base();
    }
    remove_groups(&base.join(""));
    drop(base);
    machine.compare();
    Ok(status)
}

/// Keeps the signals that ask this process to end until it looks for them.
fn block() -> Result<SignalFd> {
    let set = SigSet::from_iter(ENDINGS);
    set.thread_block().context("block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).context("signalfd")
}

/// Both processes return. Is the new one apart from the machine?
fn fork() -> Result<(Option<Process>, bool)> {
    let apart = geteuid().is_root();
    match process::fork(if apart { NAMESPACES as u64 } else { 0 }, None) {
        // Root in a container without the right to make namespaces.
        Err(Errno::EPERM) if apart => Ok((process::fork(0, None)?, false)),
        made => Ok((made.context("make the trial's process")?, apart)),
    }
}

/// In the new process: what is set up before anything of the learner's runs.
fn prepare(is_apart: bool) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("die with the attempt")?;
    SigSet::from_iter(ENDINGS).thread_unblock().context("unblock")?;
    if !is_apart {
        return limit_processes();
    }
    act_as_the_machine()?;
    let new = |kind: &str, point: &str, mode: &str| {
        let hard = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some(kind), point, Some(kind), hard, Some(mode))
    };
    new("proc", "/proc", "").context("mount a proc")?;
    // Records and locks of the trial's own. Another launcher that ends just now
    // may remove the folder as the last one in it.
    while let Err(errno) = {
        Folder::make_base()?;
        new("tmpfs", "/run/workshop", "mode=700")
    } {
        ensure!(errno == Errno::ENOENT, "mount a tmpfs: {errno}");
    }
    // A kernel without veth has none of what step05 needs, and that says so.
    let _ = uplink();
    sethostname("trial").context("set the trial's hostname")
}

/// An interface with a way out, as the machine has one, that leads nowhere: both
/// ends of a cable are in this network.
fn uplink() -> Result<()> {
    let [outside, inside] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(Into::into);
    let cable = Cable { name: "trial0".into(), outside, inside };
    network::bring_up_loopback()?;
    network::plug_in(&cable, Pid::this())?;
    network::configure(&cable)
}

/// For a user other than root: fork(2) answers EAGAIN above it (getrlimit(2)).
fn limit_processes() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC)?;
    let limit = soft.min((threads_of_this_user() + MORE) as rlim_t);
    setrlimit(Resource::RLIMIT_NPROC, limit, hard)
        .context("limit the processes of the trial")
}

/// The limit counts threads.
fn threads_of_this_user() -> u64 {
    let own = geteuid().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let all = pids.map(|pid| Proc::of(Pid::from_raw(pid)));
    let counts = all.filter_map(|proc| {
        let uids = proc.status("Uid").ok()?;
        let is_own = uids.split_whitespace().next() == Some(&own);
        is_own
            .then(|| proc.status("Threads").ok()?.trim().parse::<u64>().ok())?
    });
    counts.sum()
}

/// Waits for its end, and kills it when this process is asked to end.
fn wait(process: &Process, signals: &SignalFd) -> Result<u8> {
    let mut fds = [process.pidfd.as_fd(), signals.as_fd()]
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    let mut asked = None;
    while fds[0].any() != Some(true) {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait for the trial"),
        }
        if fds[1].any() == Some(true) {
            asked = signals.read_signal()?.map(|info| info.ssi_signo as u8);
            step00::child::signal(process, libc::SIGKILL)
                .map_err(Error::from)
                .context("end the trial")?;
        }
    }
    let ending = process::wait(process)?;
    Ok(asked.map_or(ending.status(), |signal| 128 + signal))
}

/// Ends whatever the trial has left to this process, until nothing is left.
fn bury_orphans() {
    loop {
        for pid in Proc::own().children().unwrap_or_default() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        // Each that dies may leave its own children to us.
        if waitpid(None, None) == Err(Errno::ECHILD) {
            return;
        }
    }
}
