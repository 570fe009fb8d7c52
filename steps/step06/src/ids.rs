//! Which numbers a container gets, and who may write them down.

use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, bail};
use nix::unistd::{Pid, Uid, User, getegid, geteuid};

use crate::Args;

/// A range of users or groups: `count` numbers from `inside` on stand for
/// those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The first number as the container sees it.
    pub inside: u32,
    /// The first number as the machine sees it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Both maps of a container.
#[derive(Debug, Clone)]
pub struct Maps {
    /// For users.
    pub uids: Vec<Mapping>,
    /// For groups.
    pub gids: Vec<Mapping>,
    /// Who writes them.
    pub writer: Writer,
}

/// Who writes the maps decides what they may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The machine's root: anything.
    Root,
    /// The launcher itself, without root: its own number and nothing else.
    Unprivileged,
    /// newuidmap(1) and newgidmap(1), which are setuid root: what /etc/subuid
    /// and /etc/subgid allow.
    Helpers,
}

/// Where real root's containers live if no person is behind them.
const NOBODYS_RANGE: Mapping =
    Mapping { inside: 0, outside: 100_000, count: 65_536 };

impl Mapping {
    /// Only root inside, as one number outside.
    fn root_as(outside: u32) -> Mapping {
        Mapping { inside: 0, outside, count: 1 }
    }

    /// Reads `INSIDE:OUTSIDE:COUNT`.
    ///
    /// # Errors
    /// Anything else, no numbers at all, or more than there are.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let numbers = text.split(':').map(str::parse);
        let numbers = numbers.collect::<Result<Vec<u32>, _>>();
        let Ok([inside, outside, count]) = numbers.as_deref() else {
            return Err("write INSIDE:OUTSIDE:COUNT, three numbers".into());
        };
        let (inside, outside, count) = (*inside, *outside, *count);
        let is_small = inside.checked_add(count).is_some()
            && outside.checked_add(count).is_some();
        match count > 0 && is_small {
            true => Ok(Mapping { inside, outside, count }),
            false => Err(format!("there are no {count} such numbers")),
        }
    }

    /// The number outside for one inside.
    fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside)?;
        (offset < self.count).then(|| self.outside + offset)
    }
}

/// The number outside that stands for `inside`, if any does.
pub fn outside_of(mappings: &[Mapping], inside: u32) -> Option<u32> {
    mappings.iter().find_map(|mapping| mapping.outside_of(inside))
}

impl Maps {
    /// The maps that the flags ask for, or else: root inside is the person who
    /// started this, and the others come from that person's /etc/subuid.
    pub fn choose(args: &Args) -> Result<Maps> {
        let mut maps = match args.is_rootless() {
            true => Maps::without_root(),
            false => Maps::with_root(),
        };
        if !args.uid_map.is_empty() {
            maps.uids = args.uid_map.clone();
        }
        if !args.gid_map.is_empty() {
            maps.gids = args.gid_map.clone();
        }
        for (what, map) in [("user", &maps.uids), ("group", &maps.gids)] {
            if outside_of(map, 0).is_none() {
                bail!(
                    "no {what} outside is root inside\n  \
                     try: a map that has the number 0 inside, as 0:100000:65536"
                );
            }
        }
        Ok(maps)
    }

    fn with_root() -> Maps {
        let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let person = number("SUDO_UID").zip(number("SUDO_GID"));
        let (uids, gids) = match person {
            Some((uid, gid)) if uid != 0 => (
                root_and_range(uid, uid, "/etc/subuid"),
                root_and_range(gid, uid, "/etc/subgid"),
            ),
            _ => (vec![NOBODYS_RANGE], vec![NOBODYS_RANGE]),
        };
        Maps { uids, gids, writer: Writer::Root }
    }

    fn without_root() -> Maps {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let uids = root_and_range(uid, uid, "/etc/subuid");
        let gids = root_and_range(gid, uid, "/etc/subgid");
        let has_ranges = uids.len() > 1 && gids.len() > 1;
        if has_ranges && is_there("newuidmap") && is_there("newgidmap") {
            return Maps { uids, gids, writer: Writer::Helpers };
        }
        Maps {
            uids: vec![Mapping::root_as(uid)],
            gids: vec![Mapping::root_as(gid)],
            writer: Writer::Unprivileged,
        }
    }
}

/// Root inside as `root`, and from 1 on what is set aside for this person.
fn root_and_range(root: u32, person: u32, file: &str) -> Vec<Mapping> {
    let table = fs::read_to_string(file).unwrap_or_default();
    let name = User::from_uid(Uid::from_raw(person)).ok().flatten();
    let name = name.map(|user| user.name).unwrap_or_default();
    let mut mappings = vec![Mapping::root_as(root)];
    mappings.extend(range_of(&table, &name, person));
    mappings
}

/// subuid(5): lines of name or number, first number, how many.
fn range_of(table: &str, name: &str, person: u32) -> Option<Mapping> {
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [owner, first, count] = fields[..] else { return None };
        let is_own = owner == name || owner.parse() == Ok(person);
        let count = count.parse().ok().filter(|&count: &u32| count > 0)?;
        let outside = first.parse().ok()?;
        is_own.then_some(Mapping { inside: 1, outside, count })
    })
}

/// Runs newuidmap(1) or newgidmap(1).
pub(crate) fn run_helper(
    helper: &str,
    pid: Pid,
    mappings: &[Mapping],
) -> Result<()> {
    let numbers = mappings.iter().flat_map(|m| [m.inside, m.outside, m.count]);
    let numbers: Vec<String> = numbers.map(|n| n.to_string()).collect();
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(&numbers)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {helper}"))?;
    if !output.status.success() {
        bail!(
            "{helper} {}: {}",
            numbers.join(" "),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// The likeliest reason why a map could not be written.
pub(crate) fn why_not(error: &io::Error) -> &'static str {
    if error.raw_os_error() == Some(libc::EINVAL) {
        return "ranges that do not overlap, inside or outside, 340 at most";
    }
    let file = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    let restricted = fs::read_to_string(file).unwrap_or_default();
    match restricted.trim() {
        "1" => "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        _ => "a range takes root, or newuidmap with a line in /etc/subuid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_belongs_to_its_owner_only() {
        let table = "ann:100000:65536\n1002:300000:10\nbad\nzoe:1:0\n";
        let range = |name, uid| range_of(table, name, uid);
        let ann = Mapping { inside: 1, outside: 100_000, count: 65_536 };
        assert_eq!(range("ann", 1000), Some(ann));
        let second = Mapping { inside: 1, outside: 300_000, count: 10 };
        assert_eq!(range("bob", 1002), Some(second));
        assert_eq!(range("zoe", 1003), None, "an empty range is none");
        assert_eq!(range("eve", 1004), None);
    }

    #[test]
    fn a_mapping_is_three_numbers_that_exist() {
        let whole = Mapping { inside: 0, outside: 100_000, count: 65_536 };
        assert_eq!(Mapping::parse("0:100000:65536"), Ok(whole));
        for bad in ["", "0:1", "0:1:0", "0:1:x", "0:4294967295:2", "0:0:1:1"] {
            assert!(Mapping::parse(bad).is_err(), "{bad} was taken");
        }
        assert_eq!(outside_of(&[whole], 65_535), Some(165_535));
        assert_eq!(outside_of(&[whole], 65_536), None);
    }
}
