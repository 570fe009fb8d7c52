//! What is known of each container: a folder for each, no daemon.
//!
//! ```text
//! /run/workshop             of root; $XDG_RUNTIME_DIR/workshop of others
//! └── web                   the container's name
//!     ├── lock              held by its launcher for as long as that lives
//!     ├── state.json        there from the moment the command runs
//!     ├── restarts          how often it was started again, if ever
//!     ├── log               what a detached one has printed
//!     └── log.1             … before that
//! ```
//!
//! A process is known by its number *and* its start, see [`crate::enter`].
//! [`crate::record`] keeps all this true after a crash.

mod first;
mod mounted;
mod status;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use step00::folder::Folder;
use step00::{Advice, Process};

use crate::commands::pause;
use crate::detach::restart;
use crate::enter;
use crate::folder::{self, parse_name};

pub use first::First;
pub use mounted::Mounted;
pub use status::Status;

/// What is recorded of a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// The command with its arguments.
    pub command: Vec<String>,
    /// The flags that it was started with.
    pub flags: Vec<String>,
    /// The variables that were asked for, with their values, and before them
    /// those of the image.
    #[serde(default)]
    pub env: Vec<step03::Variable>,
    /// The image, by name, or its layers.
    #[serde(default)]
    pub image: Vec<PathBuf>,
    /// The folder in which its commands start, if not `/`.
    #[serde(default)]
    pub workdir: Option<PathBuf>,
    /// As whom they run where no flag says it: what the image says.
    #[serde(default)]
    pub default_user: Option<String>,
    /// What the machine is called inside.
    #[serde(default)]
    pub hostname: String,
    /// Where the caller was: paths among the flags may start from there.
    #[serde(default)]
    pub directory: PathBuf,
    /// The address of its end of the cable, if it has one.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// The ports of the machine that are handed on to it.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Does it run without a terminal?
    pub detached: bool,
    /// Is the record to be removed when it ends?
    pub remove: bool,
    /// When it was started, in seconds since 1970.
    pub created: u64,
    /// Its first process, as the machine counts.
    pub pid: i32,
    /// When that was started, in clock ticks since boot.
    pub start: u64,
    /// Its launcher.
    pub launcher: i32,
    /// Which boot of the machine the clock ticks count from.
    pub boot: String,
    /// How it ended, if its launcher has seen that.
    pub ended: Option<Ended>,
    /// How often it was started again; `None` where that was not asked for.
    /// It is a file of its own.
    #[serde(skip)]
    pub restarts: Option<u32>,
}

/// How a container ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// The status of its command, 128+N for signal N.
    pub status: u8,
    /// Was that the kernel's OOM killer, because of its limit of memory?
    #[serde(default)]
    pub oom_killed: bool,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Reads the state of one container.
///
/// # Errors
/// When there is none of that name.
pub fn read(name: &str) -> Result<State> {
    let base = Folder::base()?;
    read_in(base.as_ref(), name)
}

/// The same, for who has the folder of all folders open.
pub(crate) fn read_in(base: Option<&Folder>, name: &str) -> Result<State> {
    let missing = || format!("find a container {name}");
    parse_name(name).map_err(anyhow::Error::msg).with_context(missing)?;
    let nothing = || io::Error::from(Errno::ENOENT);
    let folder = base.map_or(Ok(None), |base| folder::find_in(base, name))?;
    let text = match &folder {
        Some(folder) => folder.read("state.json"),
        None => Err(nothing()),
    };
    let restarts = folder.as_ref().and_then(restart::times_in);
    match text {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(error).with_context(missing).advice(
                "step11 ps -a lists them (of root, or with --rootless yours)",
            )
        }
        text => text
            .map_err(anyhow::Error::from)
            .and_then(|text| parse(&text))
            // A launcher does not hear of it when it is renamed.
            .map(|state| State { name: name.into(), restarts, ..state })
            .with_context(|| format!("read the record of {name}")),
    }
}

fn parse(text: &str) -> Result<State> {
    // serde's own words show what stands in the file.
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow!("line {line}, column {column} is wrong")
    })
}

impl State {
    /// What can be said of it now.
    pub fn status(&self) -> Status {
        if let Some(ended) = &self.ended {
            return match restart::is_waiting(&self.name) {
                true => Status::Restarting(ended.clone()),
                false => Status::Exited(ended.clone()),
            };
        }
        // It is the same for all that this process asks for.
        static BOOT: OnceLock<Result<String>> = OnceLock::new();
        let this_boot = match BOOT.get_or_init(boot) {
            Ok(boot) => *boot == self.boot,
            Err(error) => return Status::Unknown(format!("{error:#}")),
        };
        match enter::open(self.pid, self.start) {
            Ok(process) if this_boot && !has_ended(&process, 0) => {
                match pause::is_frozen(process.pid) {
                    true => Status::Paused(process),
                    false => Status::Running(process),
                }
            }
            // Only these two mean that it is gone; EMFILE, for one, does not.
            Err(error) if this_boot && !is_gone(&error) => {
                Status::Unknown(format!("{error:#}"))
            }
            _ if folder::has_launcher(&self.name) => Status::Ending,
            // Gone. Its launcher may have recorded how since this was read.
            _ => match read(&self.name).map(|state| state.ended) {
                Ok(Some(ended)) => Status::Exited(ended),
                _ => Status::Lost,
            },
        }
    }

    /// The process to enter by.
    ///
    /// # Errors
    /// When it does not run, with how it ended; or is paused, as whoever came
    /// in would be.
    pub fn running(&self) -> Result<Process> {
        match self.status() {
            Status::Running(target) => Ok(target),
            Status::Paused(_) => Err(anyhow!("{} is paused", self.name))
                .advice(format!("step11 unpause {}", self.name)),
            Status::Unknown(why) => bail!("see if {} runs: {why}", self.name),
            status => bail!("{} does not run: {status}", self.name),
        }
    }
}

/// Is this an error of [`enter::open`] for a process that is gone: ESRCH, or
/// that its number belongs to another one now?
fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Errno>().is_none_or(|errno| *errno == Errno::ESRCH)
}

/// Has it ended, or does it within so many milliseconds? A pidfd becomes
/// readable then (pidfd_open(2)).
pub fn has_ended(process: &Process, milliseconds: i32) -> bool {
    let timeout = PollTimeout::try_from(milliseconds);
    let fd = PollFd::new(process.pidfd.as_fd(), PollFlags::POLLIN);
    poll(&mut [fd], timeout.unwrap_or(PollTimeout::MAX)).is_ok_and(|n| n > 0)
}

/// Which boot of the machine this is: random(4).
pub fn boot() -> Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .context("read the boot ID")?;
    Ok(boot.trim().into())
}
