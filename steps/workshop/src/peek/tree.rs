//! The groups of processes that live apart from the machine.
//!
//! A group is all processes that share all their namespaces, as those of one
//! container do. It is below the group that its first process was made in, so
//! a container in a container shows as what it is.

use std::collections::{HashMap, HashSet};

use super::census::{Census, Resident};
use super::maker::maker;
use super::proc::{KINDS, Process};

/// The namespaces that a group is made of.
pub type Key = [Option<u64>; KINDS.len()];

/// A group of processes and the groups that were made from within it.
pub struct Group<'a> {
    /// Its processes, the oldest first.
    pub members: Vec<&'a Resident>,
    /// Which kinds of namespace are not the machine's.
    pub apart: Vec<&'static str>,
    /// What made them.
    pub maker: Option<String>,
    /// What was made from within it.
    pub children: Vec<Key>,
}

/// Sorts all processes by their namespaces, and builds the tree of groups.
pub fn groups(census: &Census) -> HashMap<Key, Group<'_>> {
    let mut members: HashMap<Key, Vec<&Resident>> = HashMap::new();
    for resident in census.residents.values() {
        if resident.spaces.iter().any(Option::is_some) {
            members.entry(resident.spaces).or_default().push(resident);
        }
    }
    let mut groups = HashMap::new();
    for (key, mut members) in members {
        members.sort_by_key(|resident| resident.pid);
        // Numbers wrap around, so the lowest need not be the first: that is
        // the one whose parent is elsewhere.
        let is_first = |r: &&Resident| home_of(r.parent, census) != Some(key);
        let first = members.iter().position(is_first).unwrap_or(0);
        members[..=first].rotate_right(1);
        let kinds = census.apart(members[0]);
        let apart = kinds.into_iter().map(|kind| KINDS[kind].1).collect();
        let first = Process::open(members[0].pid).ok();
        let maker = first.and_then(|first| maker(&first, census));
        let children = Vec::new();
        groups.insert(key, Group { members, apart, maker, children });
    }
    let mut keys: Vec<(i32, Key)> =
        groups.iter().map(|(key, g)| (g.members[0].pid, *key)).collect();
    keys.sort_unstable();
    for (_, key) in keys {
        let parent = home_of(groups[&key].members[0].parent, census);
        let parent = parent.filter(|parent| *parent != key);
        if let Some(group) = parent.and_then(|p| groups.get_mut(&p)) {
            group.children.push(key);
        }
    }
    groups
}

/// The namespaces that a process is in, if it is there and readable.
fn home_of(pid: i32, census: &Census) -> Option<Key> {
    let resident = census.residents.get(&pid)?;
    resident.spaces.iter().any(Option::is_some).then_some(resident.spaces)
}

/// The groups right below the machine, or below nothing.
pub fn roots(groups: &HashMap<Key, Group<'_>>, census: &Census) -> Vec<Key> {
    let others = groups.iter().filter(|(key, _)| **key != census.machine);
    let inner = others.flat_map(|(_, group)| &group.children);
    let inner: HashSet<&Key> = inner.collect();
    let is_root = |k: &&Key| **k != census.machine && !inner.contains(k);
    let mut roots: Vec<Key> = groups.keys().filter(is_root).copied().collect();
    roots.sort_by_key(|key| groups[key].members[0].pid);
    roots
}

impl Group<'_> {
    /// The first of them, how many more there are, and what made them.
    pub fn title(&self) -> String {
        let first = self.members[0];
        let more = match self.members.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let maker = self.maker.as_ref();
        let maker = maker.map_or(String::new(), |m| format!(", by {m}"));
        format!("{} {}{more}{maker}", first.pid, first.name)
    }
}
