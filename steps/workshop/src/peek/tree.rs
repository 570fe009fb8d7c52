//! `--all`: the groups of processes that live apart from the machine.
//!
//! A group is all who share all their namespaces, as the processes of one
//! container do. It hangs below the group that its first process was made in:
//! so a container in a container shows as what it is.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::census::{Census, Resident};
use super::maker::maker;
use super::proc::{KINDS, Process};
use super::row::{processes, unreadable, wrap};

/// The namespaces that a group is made of.
type Key = [Option<u64>; KINDS.len()];

/// A group of processes and the groups that were made from within it.
struct Group<'a> {
    /// Its processes, the oldest first.
    members: Vec<&'a Resident>,
    /// Which kinds of namespace are not the machine's.
    apart: Vec<&'static str>,
    maker: Option<String>,
    children: Vec<Key>,
}

/// Prints the tree.
///
/// # Errors
/// Those of the writer.
pub fn run(census: &Census, json: bool, out: &mut impl Write) -> Result<()> {
    let groups = groups(census);
    let home = groups.get(&census.machine).map_or(0, |g| g.members.len());
    let roots = roots(&groups, census);
    let hidden = census.hidden();
    if json {
        let apart: Vec<Value> =
            roots.iter().map(|key| to_json(key, &groups)).collect();
        let page = json!({
            "machine": home,
            "apart": apart,
            "not_readable": hidden,
        });
        return Ok(writeln!(out, "{page:#}")?);
    }
    writeln!(out, "the machine: {}", processes(home))?;
    branch(&roots, &groups, "", out)?;
    if roots.is_empty() {
        writeln!(out, "and nobody lives apart from it")?;
    }
    if hidden > 0 {
        writeln!(out, "{}: {}", unreadable(), processes(hidden))?;
    }
    betrayed(census, out)
}

/// Those whose namespaces are not readable, but who are known to live apart.
fn betrayed(census: &Census, out: &mut impl Write) -> Result<()> {
    let mut found: BTreeMap<String, Vec<(i32, &str)>> = BTreeMap::new();
    for resident in census.residents.values() {
        if !resident.betrayed.is_empty() {
            let kinds = resident.betrayed.join(", ");
            let line = found.entry(kinds).or_default();
            line.push((resident.pid, &resident.name));
        }
    }
    if !found.is_empty() {
        writeln!(out, "of these live apart, at least:")?;
    }
    for (kinds, mut members) in found {
        members.sort_unstable();
        let names = members.iter().map(|(pid, name)| format!("{pid} {name}"));
        let names: Vec<String> = names.collect();
        let text = format!("{}; blind: {kinds}", names.join(", "));
        for line in wrap(&text, 77) {
            writeln!(out, "   {line}")?;
        }
    }
    Ok(())
}

/// Sorts all processes by their namespaces, and hangs up the groups.
fn groups(census: &Census) -> HashMap<Key, Group<'_>> {
    let mut members: BTreeMap<Key, Vec<&Resident>> = BTreeMap::new();
    for resident in census.residents.values() {
        if resident.spaces.iter().any(Option::is_some) {
            members.entry(resident.spaces).or_default().push(resident);
        }
    }
    let mut groups = HashMap::new();
    for (key, mut members) in members {
        members.sort_by_key(|resident| resident.pid);
        // Numbers start again at some time: the first is the one whose parent
        // is elsewhere.
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

/// The groups that hang below the machine itself, or below nobody.
fn roots(groups: &HashMap<Key, Group<'_>>, census: &Census) -> Vec<Key> {
    let inner = |key: &Key| {
        let mut others = groups.iter().filter(|(k, _)| **k != census.machine);
        others.any(|(_, group)| group.children.contains(key))
    };
    let mut roots: Vec<Key> = groups
        .keys()
        .filter(|key| **key != census.machine && !inner(key))
        .copied()
        .collect();
    roots.sort_by_key(|key| groups[key].members[0].pid);
    roots
}

/// Two lines for each group, and then those within it.
fn branch(
    keys: &[Key],
    groups: &HashMap<Key, Group<'_>>,
    before: &str,
    out: &mut impl Write,
) -> Result<()> {
    for (index, key) in keys.iter().enumerate() {
        let is_last = index + 1 == keys.len();
        let (corner, below) =
            if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let group = &groups[key];
        let below = format!("{before}{below}");
        let width = 80usize.saturating_sub(below.chars().count()).max(30);
        let mut lines = wrap(&group.title(), width);
        lines.extend(wrap(
            &format!("  blind: {}", group.apart.join(", ")),
            width,
        ));
        for (number, line) in lines.iter().enumerate() {
            let edge = if number == 0 {
                format!("{before}{corner}")
            } else {
                below.clone()
            };
            writeln!(out, "{edge}{line}")?;
        }
        branch(&group.children, groups, &below, out)?;
    }
    Ok(())
}

impl Group<'_> {
    fn title(&self) -> String {
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

fn to_json(key: &Key, groups: &HashMap<Key, Group<'_>>) -> Value {
    let group = &groups[key];
    let members = group.members.iter();
    let members: Vec<Value> =
        members.map(|r| json!({ "pid": r.pid, "name": r.name })).collect();
    let spaces = KINDS.iter().zip(key);
    let spaces: serde_json::Map<String, Value> = spaces
        .map(|((kind, _), space)| ((*kind).to_owned(), json!(space)))
        .collect();
    let within = group.children.iter().map(|key| to_json(key, groups));
    json!({
        "maker": group.maker,
        "blind": group.apart,
        "namespaces": spaces,
        "processes": members,
        "within": within.collect::<Vec<Value>>(),
    })
}
