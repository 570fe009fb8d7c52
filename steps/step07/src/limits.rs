//! The limits, as they are written on the command line and for the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::sys::stat::{major, minor};

use crate::Args;

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
}

/// A number of bytes, or `max` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub Option<u64>);

impl Bytes {
    const DEFAULT_MEMORY: Bytes = Bytes(Some(256 << 20));
    /// A process needs some pages for its stacks and page tables before it
    /// can execute anything.
    const LEAST_MEMORY: u64 = 512 << 10;

    /// Reads a number with a suffix: K, M and G are powers of 1024.
    ///
    /// # Errors
    /// No number, another suffix, or too large for 64 bits.
    pub fn parse(text: &str) -> Result<Bytes, String> {
        if text == "max" {
            return Ok(Bytes(None));
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" | "B" | "b" => 0,
            "K" | "k" => 10,
            "M" | "m" => 20,
            "G" | "g" => 30,
            _ => return Err("write a number of bytes, or 64K, 64M, 1G".into()),
        };
        let number = digits.parse::<u64>();
        let number = number.map_err(|error| format!("{digits:?}: {error}"))?;
        match number.checked_mul(1 << shift) {
            Some(bytes) if bytes > 0 => Ok(Bytes(Some(bytes))),
            _ => Err("that is none, or more than 64 bits can count".into()),
        }
    }

    /// The same, for memory.
    ///
    /// # Errors
    /// Also less than a process needs to start at all.
    pub fn parse_memory(text: &str) -> Result<Bytes, String> {
        match Bytes::parse(text)? {
            Bytes(Some(bytes)) if bytes < Bytes::LEAST_MEMORY => Err(format!(
                "a container cannot even start with less than {}",
                human(Bytes::LEAST_MEMORY)
            )),
            bytes => Ok(bytes),
        }
    }
}

/// A number of CPUs, or `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpus(Option<f64>);

impl Cpus {
    const ONE: Cpus = Cpus(Some(1.0));

    /// Reads a decimal number.
    ///
    /// # Errors
    /// Less than 0.01: the kernel takes no quota below 1 ms of 100.
    pub fn parse(text: &str) -> Result<Cpus, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Cpus(None)),
            Ok(cpus) if (0.01..=10_000.0).contains(&cpus) => {
                Ok(Cpus(Some(cpus)))
            }
            Ok(_) => Err("the kernel gives at least 0.01 of a CPU".into()),
            Err(_) => Err("write a number of CPUs, such as 0.5".into()),
        }
    }
}

/// A number of processes and threads, or `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids(Option<u32>);

impl Pids {
    const DEFAULT: Pids = Pids(Some(128));

    /// Reads a number.
    ///
    /// # Errors
    /// Zero: the command itself would be one too many. More than the kernel
    /// has numbers for (2^22).
    pub fn parse(text: &str) -> Result<Pids, String> {
        match text.parse::<u32>() {
            _ if text == "max" => Ok(Pids(None)),
            Ok(0) => Err("the command itself is a process already".into()),
            Ok(pids) if pids <= 1 << 22 => Ok(Pids(Some(pids))),
            Ok(_) => Err("the kernel has 4194304 numbers at most".into()),
            Err(_) => Err("write a number of processes".into()),
        }
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{bytes}"),
            None => f.write_str("max"),
        }
    }
}

impl std::fmt::Display for Pids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pids) => write!(f, "{pids}"),
            None => f.write_str("max"),
        }
    }
}

/// A number of bytes for people: 1536 is 1.5K.
pub fn human(bytes: u64) -> String {
    let units = [("G", 30), ("M", 20), ("K", 10)];
    let unit = units.iter().find(|(_, shift)| bytes >= 1 << shift);
    let Some((unit, shift)) = unit else { return format!("{bytes}B") };
    let number = bytes as f64 / f64::from(1u32 << shift);
    match bytes % (1 << shift) {
        0 => format!("{number}{unit}"),
        _ => format!("{number:.1}{unit}"),
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
        bail!(
            "there is no disk whose speed could be limited\n  \
             try: --upper or --volume with a folder that lies on one"
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let parse = |text| Bytes::parse(text).map(|bytes| bytes.0);
        assert_eq!(parse("64M"), Ok(Some(64 << 20)));
        assert_eq!(parse("1g"), Ok(Some(1 << 30)));
        assert_eq!(parse("4096"), Ok(Some(4096)));
        assert_eq!(parse("max"), Ok(None));
        for bad in ["", "M", "64X", "-1", "0", "1.5G", "99999999999G"] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(human(64 << 20), "64M");
        assert_eq!(human(1536), "1.5K");
    }

    #[test]
    fn what_the_kernel_refuses_is_refused_before() {
        assert!(Cpus::parse("0.01").is_ok() && Cpus::parse("0.009").is_err());
        assert!(Cpus::parse("NaN").is_err() && Cpus::parse("inf").is_err());
        assert!(Pids::parse("1").is_ok() && Pids::parse("0").is_err());
        assert!(Bytes::parse_memory("512K").is_ok());
        assert!(Bytes::parse_memory("511K").is_err());
    }
}
