//! `--all`: the processes that live apart from the machine, as a tree.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::census::{Census, Resident};
use super::proc::KINDS;
use super::row::{processes, unreadable};
use super::tree::{Group, Key, groups, roots};
use crate::text::{VERSION, columns, fit, wrap};

/// Prints the tree.
///
/// # Errors
/// Those of the writer.
pub fn run(census: &Census, json: bool, out: &mut impl Write) -> Result<()> {
    let groups = groups(census);
    let home = groups.get(&census.machine).map_or(0, |g| g.members.len());
    let roots = roots(&groups, census);
    let hidden = census.hidden();
    let all = census.residents.values();
    let mut betrayed: Vec<&Resident> =
        all.filter(|resident| !resident.betrayed.is_empty()).collect();
    betrayed.sort_by_key(|resident| resident.pid);
    if json {
        let apart = roots.iter().map(|key| group_to_json(key, &groups));
        let page = json!({
            "version": VERSION,
            "machine": home,
            "apart": apart.collect::<Vec<Value>>(),
            "not_readable": hidden,
            "not_readable_but_apart":
                betrayed.into_iter().map(to_json).collect::<Vec<Value>>(),
        });
        return Ok(writeln!(out, "{page:#}")?);
    }
    writeln!(out, "the machine: {}", processes(home))?;
    branch(&roots, &groups, "", out)?;
    if roots.is_empty() && hidden == 0 {
        writeln!(out, "and nobody lives apart from it")?;
    }
    if hidden > 0 {
        writeln!(out, "{}: {}", unreadable(), processes(hidden))?;
    }
    print_betrayed(&betrayed, out)
}

/// Those whose namespaces cannot be read, but that are known to live apart.
fn print_betrayed(betrayed: &[&Resident], out: &mut impl Write) -> Result<()> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resident in betrayed {
        let line = found.entry(resident.betrayed.join(", ")).or_default();
        line.push(format!("{} {}", resident.pid, resident.name));
    }
    if !found.is_empty() {
        writeln!(out, "of these live apart, at least:")?;
    }
    for (kinds, names) in found {
        let text = format!("{}; blind: {kinds}", names.join(", "));
        for line in wrap(&text, fit(77)) {
            writeln!(out, "   {line}")?;
        }
    }
    Ok(())
}

/// Two lines for each group, followed by the groups within it.
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
        let width = columns().saturating_sub(below.chars().count()).max(30);
        let mut lines = wrap(&group.title(), width);
        let kinds = format!("  blind: {}", group.apart.join(", "));
        lines.extend(wrap(&kinds, width));
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

fn to_json(resident: &Resident) -> Value {
    json!({
        "pid": resident.pid,
        "name": resident.name,
        "blind": resident.betrayed,
    })
}

fn group_to_json(key: &Key, groups: &HashMap<Key, Group<'_>>) -> Value {
    let group = &groups[key];
    let members = group.members.iter();
    let members: Vec<Value> =
        members.map(|r| json!({ "pid": r.pid, "name": r.name })).collect();
    let spaces = KINDS.iter().zip(key);
    let spaces: Map<String, Value> = spaces
        .map(|((kind, _), space)| ((*kind).to_owned(), json!(space)))
        .collect();
    let within = group.children.iter().map(|key| group_to_json(key, groups));
    json!({
        "maker": group.maker,
        "blind": group.apart,
        "namespaces": spaces,
        "processes": members,
        "within": within.collect::<Vec<Value>>(),
    })
}
