//! One process, as peek looks at it: through a folder that is held open, and
//! with what gives it away where its links may not be read.

use std::fs;
use std::ops::Deref;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use step00::Proc;

use crate::text::printable;

/// A process that there was when this was made; see [`Proc::hold`].
#[derive(Debug)]
pub struct Process {
    /// Its number in the reader's PID namespace.
    pub pid: i32,
    proc: Proc,
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

impl Deref for Process {
    type Target = Proc;

    fn deref(&self) -> &Proc {
        &self.proc
    }
}

impl Process {
    /// Opens its folder.
    ///
    /// # Errors
    /// There is no such process, or /proc hides it (`hidepid`, proc(5)).
    pub fn open(pid: i32) -> Result<Process> {
        Ok(Process { pid, proc: Proc::hold(Pid::from_raw(pid))? })
    }

    /// Its name, as `ps` shows it.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.read("comm").unwrap_or_default();
        printable(name.trim_end_matches('\n'))
    }

    /// The number of the namespace that it is in: `None` if not readable.
    #[must_use]
    pub fn space(&self, kind: &str) -> Option<u64> {
        number_in(&self.namespace(kind).ok()?)
    }

    /// Is it in another namespace than the reader? If the link in `ns` may not
    /// be read, other files, open to all, still tell for some kinds.
    #[must_use]
    pub fn betrays(&self, kind: &str) -> Option<bool> {
        let own = Proc::own();
        match kind {
            // One number for each PID namespace that it is in.
            "pid" => Some(self.numbers().ok()?.len() > 1),
            "user" => Some(self.uid_map().ok()? != own.uid_map().ok()?),
            // Each mount has a number, and no other namespace has it too.
            "mnt" => {
                let number =
                    |text: &str| text.split(' ').next().map(String::from);
                let own = own.read("mountinfo").ok()?;
                let its = self.read("mountinfo").ok()?;
                Some(number(&its)? != number(&own)?)
            }
            _ => None,
        }
    }

    /// Has it ended? A zombie has; only its number is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.stat().map_or(true, |stat| matches!(stat.state, 'Z' | 'X'))
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
