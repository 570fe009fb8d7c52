//! One process's folder in /proc, held open.
//!
//! A number is given to another process once its owner has ended. So the
//! folder is opened once, and all is read through that descriptor: once the
//! process has ended the kernel answers ESRCH, and never for its successor.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::text::printable;

/// A process that there was when this was made.
#[derive(Debug)]
pub struct Process {
    /// Its number in the reader's PID namespace.
    pub pid: i32,
    folder: File,
}

/// What each kind of namespace is called in /proc/PID/ns, and in the ledger.
pub const KINDS: [(&str, &str); 8] = [
    ("uts", "hostname"),
    ("pid", "processes"),
    ("mnt", "files"),
    ("net", "network"),
    ("user", "users"),
    ("ipc", "ipc"),
    ("cgroup", "cgroups"),
    ("time", "time"),
];

impl Process {
    /// Takes hold of it.
    ///
    /// # Errors
    /// There is no such process, or /proc hides it (`hidepid`, proc(5)).
    pub fn open(pid: i32) -> Result<Process> {
        let folder = File::open(format!("/proc/{pid}"));
        let folder =
            folder.with_context(|| format!("find a process {pid}"))?;
        Ok(Process { pid, folder })
    }

    /// The path of one of its files.
    fn path(&self, file: &str) -> PathBuf {
        let descriptor = self.folder.as_raw_fd();
        Path::new("/proc/self/fd").join(descriptor.to_string()).join(file)
    }

    /// Reads a file of its folder. Names in there may be any bytes.
    ///
    /// # Errors
    /// EACCES: it is somebody else's, and we are not root. ESRCH, ENOENT: it
    /// has ended.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let bytes = fs::read(self.path(file))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where a link of its folder points to.
    ///
    /// # Errors
    /// As for [`Process::read`].
    pub fn link(&self, file: &str) -> io::Result<String> {
        let target = fs::read_link(self.path(file))?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// A field of `status` (proc_pid_status(5)).
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        let status = self.read("status").ok()?;
        let mut lines = status.lines().filter_map(|l| l.split_once(':'));
        let (_, value) = lines.find(|(name, _)| *name == field)?;
        Some(value.trim().to_owned())
    }

    /// Its name, as `ps` shows it.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.read("comm").unwrap_or_default();
        printable(name.trim_end_matches('\n'))
    }

    /// The number of the namespace that it is in: `None` if not readable.
    #[must_use]
    pub fn namespace(&self, kind: &str) -> Option<u64> {
        number_in(&self.link(&format!("ns/{kind}")).ok()?)
    }

    /// Is it in another namespace than the reader? Where the link in `ns` may
    /// not be read, other files tell it for some kinds, to everybody.
    #[must_use]
    pub fn betrays(&self, kind: &str) -> Option<bool> {
        match kind {
            // One number for each PID namespace that it is in.
            "pid" => {
                let numbers = self.status("NSpid")?;
                Some(numbers.split_whitespace().count() > 1)
            }
            "user" => {
                let own = fs::read_to_string("/proc/self/uid_map").ok()?;
                Some(self.read("uid_map").ok()? != own)
            }
            // Each mount has a number, and no other namespace has it too.
            "mnt" => {
                let number =
                    |text: &str| text.split(' ').next().map(String::from);
                let own = fs::read_to_string("/proc/self/mountinfo").ok()?;
                let its = self.read("mountinfo").ok()?;
                Some(number(&its)? != number(&own)?)
            }
            _ => None,
        }
    }

    /// Has it ended? A zombie has; only its number is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.status("State").is_none_or(|state| state.starts_with(['Z', 'X']))
    }
}

/// `net:[4026531840]` is namespace 4026531840.
fn number_in(link: &str) -> Option<u64> {
    link.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// The numbers of all processes that the reader sees.
///
/// # Errors
/// There is no /proc.
pub fn all() -> Result<Vec<i32>> {
    let entries = fs::read_dir("/proc").context("list /proc")?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}
