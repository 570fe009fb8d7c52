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
        Ok(Limits {
            memory: args.memory.unwrap_or(Bytes::DEFAULT_MEMORY).to_string(),
            cpu: cpu_max(args.cpus.unwrap_or(Cpus::ONE)),
            pids: args.pids.unwrap_or(Pids::DEFAULT).to_string(),
            cpuset: args.cpuset.clone(),
            disks: disk_lines(args, folders)?,
        })
    }

    /// Those that a group has, in place of which these are wanted. (What only a
    /// flag asks for is left as it is.)
    ///
    /// # Errors
    /// ENOENT when the group is gone.
    pub fn changed(
        group: &Path,
        memory: Option<Bytes>,
        cpus: Option<Cpus>,
        pids: Option<Pids>,
    ) -> Result<Limits> {
        let read = |file| {
            let path = group.join(file);
            fs::read_to_string(&path)
                .map(|text| text.trim_end().to_owned())
                .with_context(|| format!("read {}", path.display()))
        };
        let or = |wanted: Option<String>, file| {
            wanted.map_or_else(|| read(file), Ok)
        };
        Ok(Limits {
            memory: or(memory.map(|it| it.to_string()), "memory.max")?,
            cpu: or(cpus.map(cpu_max), "cpu.max")?,
            pids: or(pids.map(|it| it.to_string()), "pids.max")?,
            cpuset: None,
            disks: Vec::new(),
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

/// So many microseconds of each period.
fn cpu_max(cpus: Cpus) -> String {
    match cpus {
        Cpus(Some(cpus)) => format!("{:.0} {PERIOD:.0}", cpus * PERIOD),
        Cpus(None) => format!("max {PERIOD:.0}"),
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

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;
    use crate::flags::tests::args;

    #[test]
    fn the_flags_become_the_words_of_the_files() {
        let limits = Limits::choose(&args(&[]), &[]).expect("the defaults");
        let words = [&*limits.memory, &limits.cpu, &limits.pids];
        assert_eq!(words, ["268435456", "100000 100000", "128"]);
        assert_eq!((limits.cpuset, limits.disks.len()), (None, 0));
        let flags = ["--memory", "max", "--cpus", "0.5", "--pids", "9"];
        let more = ["--cpuset", "0-1"];
        let flags = args(&[&flags[..], &more].concat());
        let limits = Limits::choose(&flags, &[]).expect("limits");
        let words = [&*limits.memory, &limits.cpu, &limits.pids];
        assert_eq!(words, ["max", "50000 100000", "9"]);
        assert_eq!(limits.cpuset.as_deref(), Some("0-1"));
        let limits = Limits::choose(&args(&["--cpus", "max"]), &[]);
        assert_eq!(limits.expect("limits").cpu, "max 100000");
    }

    #[test]
    fn rare_ones_are_written_where_they_are_asked_for() {
        let group = Folder::new();
        let mut limits = Limits::choose(&args(&[]), &[]).expect("limits");
        limits.write_rare_ones(group.path()).expect("write none");
        assert!(!group.join("cpuset.cpus").exists(), "the control");
        limits.cpuset = Some("0-1".into());
        limits.disks = vec!["8:0 rbps=1".into()];
        limits.write_rare_ones(group.path()).expect("write both");
        let read = |name| fs::read_to_string(group.join(name)).expect(name);
        assert_eq!(read("cpuset.cpus"), "0-1");
        assert_eq!(read("io.max"), "8:0 rbps=1");
    }

    #[test]
    fn a_group_gets_its_limits_and_no_swap_where_there_is_one() {
        let group = Folder::new();
        let limits = Limits::choose(&args(&[]), &[]).expect("limits");
        let read = |name| fs::read_to_string(group.join(name)).expect(name);
        crate::cgroup::limit(group.path(), &limits).expect("write them");
        assert_eq!(read("memory.max"), "268435456");
        assert_eq!(read("memory.oom.group"), "1");
        assert_eq!(read("cpu.max"), "100000 100000");
        assert_eq!(read("pids.max"), "128");
        let swap = group.join("memory.swap.max");
        assert!(!swap.exists(), "a kernel without swap has no such file");
        fs::write(&swap, "max").expect("write a file");
        crate::cgroup::limit(group.path(), &limits).expect("write them");
        assert_eq!(read("memory.swap.max"), "0");
    }

    /// What a folder on a disk is mounted from, and that disk: the partition's
    /// folder in /sys lies in the disk's.
    fn a_folder_on_a_disk() -> Option<(String, String)> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(2);
            let (number, point) = (fields.next()?, fields.nth(1)?);
            let entry = Path::new("/sys/dev/block").join(number);
            let entry = entry.canonicalize().ok()?;
            let disk = match entry.join("partition").exists() {
                true => {
                    fs::read_to_string(entry.parent()?.join("dev")).ok()?
                }
                false => number.into(),
            };
            Path::new(point).is_dir().then_some(())?;
            Some((point.into(), disk.trim().into()))
        })
    }

    #[test]
    fn io_is_limited_on_the_whole_disk_or_not_at_all() {
        let flags = args(&["--io-read", "1M", "--io-write", "2K"]);
        // /proc lies on no disk.
        let none = disk_lines(&flags, &[Path::new("/proc")]);
        let none = none.expect_err("there is no disk").to_string();
        assert!(none.contains("no disk"), "{none}");
        assert!(disk_lines(&flags, &[]).is_err());
        let gone = disk_under(Path::new("/no/such/folder"));
        assert!(gone.is_err(), "{gone:?}");
        // A machine may have none, as a diskless one or a container.
        let Some((folder, disk)) = a_folder_on_a_disk() else { return };
        let folder = Path::new(&folder);
        let lines = disk_lines(&flags, &[folder, folder, Path::new("/proc")]);
        let all = format!("{disk} rbps=1048576 wbps=2048");
        assert_eq!(lines.expect("a disk"), [all]);
        let lines = disk_lines(&args(&["--io-write", "1"]), &[folder]);
        assert_eq!(lines.expect("a disk"), [format!("{disk} wbps=1")]);
        let lines = disk_lines(&args(&[]), &[folder]).expect("no limit");
        assert_eq!(lines, [""; 0], "the control");
    }
}
