//! The machine before and after: nothing may be left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::prctl;

use crate::eventually;

/// The machine as it was found. Dropping this waits until the machine is in
/// that state again, and fails the test if it does not get there.
pub struct Machine {
    before: BTreeSet<String>,
    _turn: MutexGuard<'static, ()>,
}

/// Only one test at a time may change the machine.
static TURN: Mutex<()> = Mutex::new(());

impl Machine {
    /// Takes a turn and looks at everything that a rung could leave behind.
    #[expect(clippy::new_without_default, reason = "it takes a turn")]
    pub fn new() -> Machine {
        // That an earlier test failed says nothing about this one.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        prctl::set_child_subreaper(true).expect("adopt orphans");
        Machine { before: everything(), _turn: turn }
    }

    /// What is on the machine now and was not before, marked +, and the
    /// reverse, marked -.
    pub fn changes(&self) -> Vec<String> {
        let now = everything();
        let new = now.difference(&self.before).map(|what| format!("+{what}"));
        // A process that has ended in the meantime is not left behind.
        let gone = self.before.difference(&now);
        let gone = gone.filter(|what| !what.starts_with("process "));
        let gone = gone.map(|what| format!("-{what}"));
        new.chain(gone).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut changes = Vec::new();
        // The kernel takes a network namespace apart in its own time, after
        // the last process in it has ended.
        let clean =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                eventually("the machine as it was before", || {
                    changes = self.changes();
                    changes.is_empty()
                });
            }));
        assert!(clean.is_ok(), "left behind: {changes:#?}");
    }
}

fn everything() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount_point = |line: &str| line.split(' ').nth(4).map(String::from);
    found.extend(
        mounts
            .lines()
            .filter_map(mount_point)
            .map(|m| "mount ".to_owned() + &m),
    );
    found.extend(interfaces());
    found.extend(switches());
    found.extend(rules());
    found.extend(claims());
    found.extend(processes());
    groups(Path::new("/sys/fs/cgroup/workshop"), &mut found);
    found
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// A test may have given its thread a network of its own, and /proc/net would
/// show that of the process's first thread.
fn interfaces() -> Vec<String> {
    let devices = fs::read_to_string("/proc/thread-self/net/dev");
    let devices = devices.unwrap_or_default();
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| format!("interface {}", name.trim())).collect()
}

/// Whether the machine forwards packets, by interface.
fn switches() -> Vec<String> {
    let folder = "/proc/sys/net/ipv4/conf";
    let read = |name: String| {
        let path = format!("{folder}/{name}/forwarding");
        let value = fs::read_to_string(path).ok()?;
        Some(format!("forwarding {name} {}", value.trim()))
    };
    names(folder).filter_map(read).collect()
}

/// The tables of nf_tables, as nft(8) lists them.
fn rules() -> Vec<String> {
    let output = Command::new("nft").args(["list", "tables"]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().map(|table| format!("rules {table}")).collect()
}

/// The abstract sockets by which addresses are claimed.
fn claims() -> Vec<String> {
    let sockets = fs::read_to_string("/proc/thread-self/net/unix");
    let sockets = sockets.unwrap_or_default();
    let names = sockets.lines().filter_map(|line| line.split_once('@'));
    let ours = names.filter(|(_, name)| name.starts_with("workshop/"));
    ours.map(|(_, name)| format!("claim {name}")).collect()
}

/// Every process that a rung could have made: its launcher, its guardian, and
/// whatever is in a PID namespace that is not ours. A zombie does not count:
/// it has ended, and its parent has to reap it.
fn processes() -> Vec<String> {
    let ours = fs::read_link("/proc/self/ns/pid").ok();
    let is_number = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
    let describe = |pid: String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let its = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let is_rung = name == "guardian"
            || name.starts_with("step") && !name.contains('-')
            || its.is_some() && its != ours;
        let is_dead = rest.trim_start().starts_with(['Z', 'X']);
        // Other containers on this machine come and go as they like.
        (is_rung && !is_dead && is_descendant(pid.parse().ok()?))
            .then(|| format!("process {pid} {name}"))
    };
    names("/proc").filter(is_number).filter_map(describe).collect()
}

/// Does this test descend to that process? [`Machine::new`] sees to it that
/// an orphan of ours becomes our child, and not that of the machine's init.
fn is_descendant(mut pid: i32) -> bool {
    let own = std::process::id() as i32;
    loop {
        let parent = crate::process::status(pid, "PPid");
        match parent.and_then(|parent| parent.parse().ok()) {
            Some(parent) if parent == own => return true,
            Some(0 | 1) | None => return false,
            Some(parent) => pid = parent,
        }
    }
}

fn groups(folder: &Path, found: &mut BTreeSet<String>) {
    if folder.is_dir() {
        for name in names(folder).filter(|name| folder.join(name).is_dir()) {
            found.insert(format!("cgroup {}", folder.join(&name).display()));
            groups(&folder.join(name), found);
        }
    }
}
