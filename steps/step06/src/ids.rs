//! Which numbers a container gets, and which process may write its maps.

use std::fs;

use anyhow::{Result, anyhow};
use nix::unistd::{getegid, geteuid};
use step00::Advice;

use crate::Args;
use crate::mapping::{Mapping, outside_of};
use crate::names::name_of;

/// Both maps of a container.
#[derive(Debug, Clone)]
pub struct Maps {
    /// For users.
    pub uids: Vec<Mapping>,
    /// For groups.
    pub gids: Vec<Mapping>,
    /// What writes them.
    pub writer: Writer,
}

/// The writer of the maps, which decides what they may contain.
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

/// The first number outside for containers of real root, when there is no
/// person behind sudo.
const NOBODYS_RANGE: Mapping =
    Mapping { inside: 0, outside: 100_000, count: 65_536 };

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
                let error = anyhow!("no {what} outside is root inside");
                return Err(error).advice(
                    "a map that has the number 0 inside, as 0:100000:65536",
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
        let has_helpers = ["newuidmap", "newgidmap"].into_iter().all(is_there);
        Maps::by_whom(uids, gids, has_helpers)
    }

    /// More than one's own number takes a range in both files and both
    /// helpers.
    fn by_whom(
        mut uids: Vec<Mapping>,
        mut gids: Vec<Mapping>,
        has_helpers: bool,
    ) -> Maps {
        if has_helpers && uids.len() > 1 && gids.len() > 1 {
            return Maps { uids, gids, writer: Writer::Helpers };
        }
        uids.truncate(1);
        gids.truncate(1);
        Maps { uids, gids, writer: Writer::Unprivileged }
    }
}

/// Root inside as `root`, and from 1 on what is set aside for this person.
fn root_and_range(root: u32, person: u32, file: &str) -> Vec<Mapping> {
    let table = fs::read_to_string(file).unwrap_or_default();
    let name = name_of(person).unwrap_or_default();
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

fn is_there(program: &str) -> bool {
    let mut folders = step00::search_path().into_iter();
    folders.any(|folder| folder.join(program).exists())
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
        // A name that is a number is that user's.
        assert_eq!(range("1002", 7), Some(second));
    }

    #[test]
    fn the_helpers_write_where_there_is_a_range_for_both() {
        let own = vec![Mapping::root_as(1000)];
        let range = Mapping { inside: 1, outside: 100_000, count: 65_536 };
        let both = vec![own[0], range];
        for (uids, gids, has_helpers, writer) in [
            (&both, &both, true, Writer::Helpers),
            (&both, &both, false, Writer::Unprivileged),
            (&both, &own, true, Writer::Unprivileged),
            (&own, &both, true, Writer::Unprivileged),
            (&own, &own, true, Writer::Unprivileged),
        ] {
            let maps = Maps::by_whom(uids.clone(), gids.clone(), has_helpers);
            assert_eq!(maps.writer, writer, "{uids:?} {gids:?}");
            let all = [&maps.uids, &maps.gids];
            match writer {
                Writer::Helpers => assert_eq!(all, [&both, &both]),
                _ => assert_eq!(all, [&own, &own]),
            }
        }
    }

    #[test]
    fn a_program_is_there_if_a_folder_of_path_has_it() {
        assert!(is_there("sh"));
        assert!(!is_there("no-such-program"));
    }
}
