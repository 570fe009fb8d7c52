//! The limits, in the words of the kernel's files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::sys::stat::{major, minor};
use step00::Advice;

use crate::Args;
use crate::files::write;
use crate::quantities::{Bytes, Cpus, Pids};

/// How long a period of cpu.max is, in microseconds: the kernel's default.
const PERIOD: f64 = 100_000.0;

/// What a group may use, each in the words of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// memory.max: bytes.
    pub memory: String,
    /// cpu.max: microseconds, and of how many.
    pub cpu: String,
    /// pids.max: how many processes and threads.
    pub pids: String,
    /// cpuset.cpus: a list of ranges.
    pub cpuset: Option<String>,
    /// io.max: a line for each disk.
    pub disks: Vec<String>,
}

impl Limits {
    /// Takes them from the flags. `folders` are those on the machine's disks
    /// that the container can write to.
    ///
    /// # Errors
    /// When io is to be limited and there is no disk under the folders.
    pub fn choose(args: &Args, folders: &[&Path]) -> Result<Limits> {
        let cpu = match args.cpus.unwrap_or(Cpus::ONE) {
            Cpus(Some(cpus)) => format!("{:.0} {PERIOD:.0}", cpus * PERIOD),
            Cpus(None) => format!("max {PERIOD:.0}"),
        };
        Ok(Limits {
            memory: args.memory.unwrap_or(Bytes::DEFAULT_MEMORY).to_string(),
            cpu,
            pids: args.pids.unwrap_or(Pids::DEFAULT).to_string(),
            cpuset: args.cpuset.clone(),
            disks: disk_lines(args, folders)?,
        })
    }

    /// Writes down the limits that only a flag asks for: which CPUs, and how
    /// much of the disks. The rest is [`crate::cgroup::limit`].
    ///
    /// # Errors
    /// EINVAL or ERANGE when the kernel does not accept a number, ENODEV when
    /// a disk is none.
    pub(crate) fn write_rare_ones(&self, group: &Path) -> Result<()> {
        if let Some(cpus) = &self.cpuset {
            write(group, "cpuset.cpus", cpus)
                .advice("`nproc` counts the CPUs; --cpuset 0, 0-1 or 0,2")?;
        }
        for disk in &self.disks {
            write(group, "io.max", disk)?;
        }
        Ok(())
    }
}

/// io.max limits a disk, and not a folder: a line for the disk under each.
fn disk_lines(args: &Args, folders: &[&Path]) -> Result<Vec<String>> {
    let limit = |name, bytes: Option<Bytes>| {
        bytes.map(|bytes| format!(" {name}={bytes}")).unwrap_or_default()
    };
    let limits = limit("rbps", args.io_read) + &limit("wbps", args.io_write);
    if limits.is_empty() {
        return Ok(Vec::new());
    }
    let mut disks = BTreeSet::new();
    for folder in folders {
        disks.extend(disk_under(folder)?);
    }
    if disks.is_empty() {
        let error = anyhow!("there is no disk whose speed could be limited");
        return Err(error)
            .advice("--upper or --volume with a folder that lies on one");
    }
    Ok(disks.into_iter().map(|disk| disk + &limits).collect())
}

/// The whole disk (`major:minor`) that holds a folder, or none for a
/// filesystem in memory. The kernel refuses a partition with ENODEV.
fn disk_under(folder: &Path) -> Result<Option<String>> {
    let device = fs::metadata(folder)
        .with_context(|| format!("look at {}", folder.display()))?
        .dev();
    let number = format!("{}:{}", major(device), minor(device));
    let entry = Path::new("/sys/dev/block").join(&number);
    if !entry.exists() {
        return Ok(None);
    }
    let whole = match entry.join("partition").exists() {
        true => fs::read_to_string(entry.join("../dev")),
        false => Ok(number),
    };
    let whole =
        whole.with_context(|| format!("find the disk of {folder:?}"))?;
    Ok(Some(whole.trim().to_owned()))
}
