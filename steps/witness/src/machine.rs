//! The machine before and after: nothing may be left behind.
//!
//! The machine belongs to others, too, who mount, plug in and start things
//! while a test runs. So only that is compared which a rung can have made, by
//! its name or its maker; and what comes and goes is not left behind: only
//! what has been there in every look is.
//!
//! In a network namespace of the test's own there is nobody else: all counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{Watch, beat};
use crate::{eventually, process};

/// The machine as it was found. Dropping this waits until the machine is in
/// that state again, and fails the test if it does not get there.
pub struct Machine {
    before: BTreeSet<String>,
    bystanders: Vec<i32>,
    _watch: Watch,
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
        Machine {
            before: everything(),
            bystanders: process::descendants(),
            _watch: Watch::over(true),
            _turn: turn,
        }
    }

    /// What is on the machine now and was not before, marked +, and the
    /// reverse, marked -.
    pub fn changes(&self) -> Vec<String> {
        beat("its own work");
        let (is_alone, mut now) = (has_own_network(), everything());
        let mut before = self.before.clone();
        keep_comparable_switches(&mut before, &mut now);
        let new = now.difference(&before).map(|what| format!("+{what}"));
        // A process that has ended in the meantime is not left behind, nor is
        // what a neighbour has taken away with its container.
        let is_neighbours = |what: &str| {
            let kinds = ["rules ", "interface ", "claim ", "cgroup "];
            !is_alone && kinds.iter().any(|kind| what.starts_with(kind))
        };
        let gone = before.difference(&now);
        let gone = gone.filter(|what| {
            !what.starts_with("process ") && !is_neighbours(what)
        });
        let gone = gone.map(|what| format!("-{what}"));
        new.chain(gone).collect()
    }

    /// Ends what a test that has failed has not ended.
    fn end_processes(&self) {
        for pid in process::descendants() {
            if !self.bystanders.contains(&pid) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end_processes();
            return;
        }
        let mut left: BTreeSet<String> = self.changes().into_iter().collect();
        // The kernel takes a network namespace apart in its own time, after
        // the last process in it has ended.
        let clean =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                eventually("the machine as it was before", || {
                    let now = self.changes().into_iter().collect();
                    left = left.intersection(&now).cloned().collect();
                    left.is_empty()
                });
            }));
        if clean.is_err() {
            self.end_processes();
            panic!("left behind: {left:#?}");
        }
    }
}

fn everything() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let is_alone = has_own_network();
    found.extend(mounts());
    found.extend(interfaces(is_alone));
    found.extend(switches(is_alone));
    found.extend(rules(is_alone));
    found.extend(claims(is_alone));
    found.extend(processes());
    groups(Path::new("/sys/fs/cgroup/workshop"), &mut found);
    found
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Is this thread in another network than whoever has started this program?
fn has_own_network() -> bool {
    let own = fs::read_link("/proc/thread-self/ns/net").ok();
    let parent = nix::unistd::getppid();
    let theirs = fs::read_link(format!("/proc/{parent}/ns/net")).ok();
    theirs.is_some() && own != theirs
}

/// The mounts that a rung could have made here: below what is the test's own,
/// or over the folders that each container has of its own. The number tells a
/// second one on the same folder from the first.
fn mounts() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo");
    let mounts = mounts.unwrap_or_default();
    let own = own_places();
    let describe = |line: &str| {
        let mut fields = line.split(' ');
        let (id, point) = (fields.next()?, fields.nth(3)?);
        let is_own = own.iter().any(|place| point.starts_with(&**place));
        (is_own || is_shallow(point)).then(|| format!("mount {point} ({id})"))
    };
    mounts.lines().filter_map(describe).collect()
}

/// The folder that cargo builds in, and this test's temporary ones.
fn own_places() -> Vec<String> {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(3).map(Path::to_owned);
    let witness = format!("witness-{}-", std::process::id());
    let witness = std::env::temp_dir().join(witness);
    let all = [target, Some(witness), Some(PathBuf::from("/run/workshop"))];
    let text = |path: PathBuf| path.to_str().map(str::to_owned);
    all.into_iter().flatten().filter_map(text).collect()
}

/// `/`, `/proc`, `/dev/pts` …, over which nobody else mounts a thing.
fn is_shallow(point: &str) -> bool {
    point.matches('/').count() == 1
        || matches!(point, "/dev/pts" | "/dev/shm" | "/dev/null")
}

/// A test may have given its thread a network of its own, and /proc/net would
/// show that of the process's first thread.
fn devices() -> Vec<String> {
    let devices = fs::read_to_string("/proc/thread-self/net/dev");
    let devices = devices.unwrap_or_default();
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// The cables of containers, whoever's they are.
fn boxes() -> Vec<String> {
    devices().into_iter().filter(|name| name.starts_with("box")).collect()
}

/// A cable has the number of the claim that its maker holds: while another
/// program's claim is there, so is its cable, rightly.
fn interfaces(is_alone: bool) -> Vec<String> {
    let names = if is_alone { devices() } else { boxes() };
    let others = if is_alone { vec![] } else { claims_of_others() };
    let is_others = |name: &String| others.iter().any(|it| cable(it) == *name);
    let names = names.into_iter().filter(|name| !is_others(name));
    names.map(|name| format!("interface {name}")).collect()
}

/// The cable that belongs to the claim of an address: step05's rule.
fn cable(claim: &str) -> String {
    let address = claim.trim_start_matches("workshop/").parse();
    let number = address
        .map_or(0, |it: std::net::Ipv4Addr| (u32::from(it) & 0xffff) / 4);
    format!("box{number}")
}

/// Whether the machine forwards packets, by interface. While a neighbour's
/// container borrows the switches, as ours do, they say nothing about us.
fn switches(is_alone: bool) -> Vec<String> {
    if !is_alone && !boxes().is_empty() {
        return vec![];
    }
    let folder = "/proc/sys/net/ipv4/conf";
    let read = |name: String| {
        let path = format!("{folder}/{name}/forwarding");
        let value = fs::read_to_string(path).ok()?;
        Some(format!("forwarding {name} {}", value.trim()))
    };
    names(folder).filter_map(read).collect()
}

/// On the machine's own network interfaces come and go with their switches,
/// and an administrator's ip_forward sets them all. A rung sets one, of an
/// interface that was there before, to 1.
fn keep_comparable_switches(
    before: &mut BTreeSet<String>,
    now: &mut BTreeSet<String>,
) {
    if has_own_network() {
        return;
    }
    let names = |all: &BTreeSet<String>| -> BTreeSet<String> {
        all.iter().filter_map(|what| switch_of(what)).collect()
    };
    let both: BTreeSet<_> =
        names(before).intersection(&names(now)).cloned().collect();
    let all = |set: &BTreeSet<String>| set.contains("forwarding all 1");
    let is_one_by_one = all(before) == all(now);
    // A neighbour may have given back what it had borrowed before.
    let is_on = |name: &str| now.contains(&format!("forwarding {name} 1"));
    let on: Vec<String> = both.into_iter().filter(|it| is_on(it)).collect();
    let counts = |what: &String| {
        switch_of(what).is_none_or(|it| is_one_by_one && on.contains(&it))
    };
    before.retain(counts);
    now.retain(counts);
}

fn switch_of(what: &str) -> Option<String> {
    let what = what.strip_prefix("forwarding ")?;
    what.split(' ').next().map(str::to_owned)
}

/// The tables of nf_tables, as nft(8) lists them.
fn rules(is_alone: bool) -> Vec<String> {
    let Some(nft) = crate::find("nft") else { return vec![] };
    let mut nft = std::process::Command::new(nft);
    let output = nft.args(["list", "tables"]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let others = if is_alone { vec![] } else { claims_of_others() };
    let is_others = |table: &str| {
        others.iter().any(|claim| {
            table.ends_with(&format!("workshop-{}", cable(claim)))
        })
    };
    let ours = text.lines().filter(|table| {
        is_alone || table.contains("workshop-") && !is_others(table)
    });
    ours.map(|table| format!("rules {table}")).collect()
}

/// The locks by which addresses are claimed in this network, as far as somebody
/// has them: name and path. (The file of a launcher that was killed goes with
/// the next one.)
fn all_claims() -> Vec<(String, String)> {
    let folder = Path::new("/run/workshop");
    let network = fs::read_link("/proc/thread-self/ns/net");
    let network = network.unwrap_or_default().display().to_string();
    let network: String =
        network.chars().filter(char::is_ascii_digit).collect();
    let start = format!(".net-{network}-");
    let is_held = |name: &String| {
        let file = fs::File::open(folder.join(name)).ok();
        let how = FlockArg::LockSharedNonblock;
        file.is_some_and(|file| Flock::lock(file, how).is_err())
    };
    let claim = |name: String| {
        let address = name.strip_prefix(&start)?;
        let path = folder.join(&name).to_str()?.to_owned();
        is_held(&name).then(|| (format!("workshop/{address}"), path))
    };
    names(folder).filter_map(claim).collect()
}

/// The claims of addresses in this network.
pub fn claims_here() -> Vec<String> {
    all_claims().into_iter().map(|(name, _)| name).collect()
}

/// Those that no process of this test holds.
fn claims_of_others() -> Vec<String> {
    let held = open_in(&process::descendants());
    let all = all_claims().into_iter();
    let others = all.filter(|(_, path)| !held.contains(path));
    others.map(|(name, _)| name).collect()
}

fn claims(is_alone: bool) -> Vec<String> {
    let others = if is_alone { vec![] } else { claims_of_others() };
    let names = all_claims().into_iter().map(|(name, _)| name);
    let ours = names.filter(|name| !others.contains(name));
    ours.map(|name| format!("claim {name}")).collect()
}

/// The paths of what these processes, and we, have open.
fn open_in(pids: &[i32]) -> BTreeSet<String> {
    let own = std::process::id() as i32;
    let all = pids.iter().chain([&own]);
    let links = all.flat_map(|pid| {
        let folder = PathBuf::from(format!("/proc/{pid}/fd"));
        let names: Vec<String> = names(&folder).collect();
        names.into_iter().map(move |name| folder.join(name))
    });
    let path = |link: PathBuf| {
        let target = fs::read_link(link).ok()?;
        target.to_str().map(str::to_owned)
    };
    links.filter_map(path).collect()
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

/// The control groups of the workshop, but those whose name says that another
/// program made them, which still runs.
fn groups(folder: &Path, found: &mut BTreeSet<String>) {
    if folder.is_dir() {
        for name in names(folder).filter(|name| folder.join(name).is_dir()) {
            let maker = name.split('-').next().and_then(|n| n.parse().ok());
            if maker.is_some_and(is_others) {
                continue;
            }
            found.insert(format!("cgroup {}", folder.join(&name).display()));
            groups(&folder.join(name), found);
        }
    }
}

fn is_others(pid: i32) -> bool {
    !process::is_gone(pid) && !is_descendant(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cable_has_the_number_of_its_claim() {
        assert_eq!(cable("workshop/10.77.0.0"), "box0");
        assert_eq!(cable("workshop/10.77.0.8"), "box2");
        assert_eq!(cable("workshop/10.77.255.252"), "box16383");
    }

    fn set(lines: &[&str]) -> BTreeSet<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn kept(before: &[&str], now: &[&str]) -> Vec<String> {
        let (mut before, mut now) = (set(before), set(now));
        keep_comparable_switches(&mut before, &mut now);
        now.difference(&before).cloned().collect()
    }

    #[test]
    fn a_neighbours_switches_do_not_count_and_ours_do() {
        let before = ["forwarding all 0", "forwarding eth0 0"];
        // Docker starts; somebody plugs an interface in; a neighbour's
        // container is there, so that the switches were not even read.
        let docker = ["forwarding all 1", "forwarding eth0 1"];
        assert_eq!(kept(&before, &docker), [""; 0]);
        let plugged = [&before[..], &["forwarding veth7 1"]].concat();
        assert_eq!(kept(&before, &plugged), [""; 0]);
        assert_eq!(kept(&[], &before), [""; 0]);
        let borrowed = ["forwarding all 0", "forwarding eth0 1"];
        assert_eq!(kept(&borrowed, &before), [""; 0]);
        // The control: a rung has not given back what it borrowed.
        let left = ["forwarding all 0", "forwarding eth0 1"];
        assert_eq!(kept(&before, &left), ["forwarding eth0 1"]);
    }
}
