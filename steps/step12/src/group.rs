//! `step12 pause`, `resume`, `update`: the container's group.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use step00::Ending;

use crate::config::resources::{BlockIo, Cpu, Memory, Pids, Resources};
use crate::config::{parse, read};
use crate::flags::Host;
use crate::state::{Container, Status};

/// The flags of a command that has none.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Name {
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Freezes all its processes.
///
/// # Errors
/// When it does not run.
pub fn pause(host: &Host, args: &Name) -> Result<Ending> {
    let container = Container::open(&host.root()?, &args.id)?;
    let state = container.state()?;
    match state.status(&container.folder)? {
        Status::Running(_) | Status::Created(_) => {
            state.cgroup.freeze(true)?
        }
        _ => bail!("container not running"),
    }
    Ok(Ending::Exited(0))
}

/// Lets them go on.
///
/// # Errors
/// When they were not frozen.
pub fn resume(host: &Host, args: &Name) -> Result<Ending> {
    let container = Container::open(&host.root()?, &args.id)?;
    let state = container.state()?;
    if !state.cgroup.is_frozen() {
        bail!("container not paused");
    }
    state.cgroup.freeze(false)?;
    Ok(Ending::Exited(0))
}

/// The flags of `update`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Update {
    /// A file with linux.resources of config.json; - is stdin
    #[arg(short, long, value_name = "FILE")]
    pub resources: Option<PathBuf>,

    /// Bytes of memory, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory: Option<i64>,

    /// Bytes of memory that it keeps when memory is short
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory_reservation: Option<i64>,

    /// Bytes of memory and swap together, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory_swap: Option<i64>,

    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,

    /// How long a period is, in microseconds
    #[arg(long, value_name = "N")]
    pub cpu_period: Option<u64>,

    /// Its share of CPU time, beside others
    #[arg(long, value_name = "N", alias = "cpu-share")]
    pub cpu_shares: Option<u64>,

    /// Microseconds beyond the quota that it may save up
    #[arg(long, value_name = "N")]
    pub cpu_burst: Option<u64>,

    /// 1: only when nobody else wants the CPU
    #[arg(long, value_name = "N")]
    pub cpu_idle: Option<i64>,

    /// On which CPUs: 0-2,7
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,

    /// From which memory
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,

    /// Processes and threads, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,

    /// Its share of the disks, 10 to 1000
    #[arg(long, value_name = "N")]
    pub blkio_weight: Option<u16>,

    /// Accepted and not used: the kernel has no such limit any more
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub kernel_memory: Option<i64>,

    /// Accepted and not used: the same
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub kernel_memory_tcp: Option<i64>,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

impl Update {
    fn resources(&self) -> Result<Resources> {
        match self.resources.as_deref() {
            Some(path) if path.as_os_str() == "-" => {
                let mut text = Vec::new();
                let stdin = std::io::stdin().lock();
                stdin.take(1 << 20).read_to_end(&mut text)?;
                parse(&text).context("read stdin")
            }
            Some(path) => read(path),
            None => Ok(self.flags()),
        }
    }

    fn flags(&self) -> Resources {
        let memory = Memory {
            limit: self.memory,
            reservation: self.memory_reservation,
            swap: self.memory_swap,
            ..Memory::default()
        };
        let cpu = Cpu {
            quota: self.cpu_quota,
            period: self.cpu_period,
            shares: self.cpu_shares,
            burst: self.cpu_burst,
            idle: self.cpu_idle,
            cpus: self.cpuset_cpus.clone().unwrap_or_default(),
            mems: self.cpuset_mems.clone().unwrap_or_default(),
            ..Cpu::default()
        };
        let pids = self.pids_limit.map(|limit| Pids { limit: Some(limit) });
        let weight = self.blkio_weight;
        let block_io = BlockIo { weight, ..BlockIo::default() };
        Resources {
            memory: Some(memory),
            cpu: Some(cpu),
            pids,
            block_io: weight.map(|_| block_io),
            ..Resources::default()
        }
    }
}

/// Changes what the container may use.
///
/// # Errors
/// When it has ended, and for what the kernel does not accept.
pub fn update(host: &Host, args: &Update) -> Result<Ending> {
    let resources = args.resources()?;
    let container = Container::open(&host.root()?, &args.id)?;
    let state = container.state()?;
    if state.status(&container.folder)?.process().is_none() {
        bail!("container not running");
    }
    state.cgroup.apply(&resources)?;
    Ok(Ending::Exited(0))
}
