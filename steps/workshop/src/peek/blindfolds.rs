//! What it cannot see: its namespaces, and which processes share each.

use std::net::Ipv4Addr;

use serde_json::json;
use step00::Mark;

use super::census::Census;
use super::proc::{KINDS, Process};
use super::row::Row;

/// A row for each kind of namespace.
pub fn look(process: &Process, census: &Census) -> Vec<Row> {
    (0..KINDS.len()).map(|kind| row(process, census, kind)).collect()
}

fn row(process: &Process, census: &Census, index: usize) -> Row {
    let (kind, subject) = KINDS[index];
    let machine = census.machine[index];
    let space = process.space(kind);
    if machine.is_none() && space.is_none() {
        return Row::new(Mark::Sees, subject, "this kernel has but one");
    }
    if space.is_none() && process.betrays(kind).is_none() {
        return Row::hidden(subject);
    }
    let apart = census.is_apart(process, kind);
    let others = space.map(|s| census.others_in(index, s, process.pid));
    let facts = json!({
        "namespace": kind,
        "number": space,
        "machine": !apart,
        "shared_with": others.as_ref().map(Vec::len),
    });
    let mut text = match (apart, others) {
        (true, Some(others)) => format!("its own{}", company(&others)),
        (true, None) => "its own".to_owned(),
        (false, _) => "the machine's".to_owned(),
    };
    if let Some(detail) = detail(process, kind, apart) {
        text += &format!("; {detail}");
    }
    let mark = if apart { Mark::Blind } else { Mark::Sees };
    Row::with(mark, subject, text, facts)
}

/// What else is in there: nothing, or the others by name.
fn company(others: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in others {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let more = if names.len() > 4 { " …" } else { "" };
    names.truncate(4);
    match others.len() {
        0 => ", alone".to_owned(),
        count => format!(" (with {count} more: {}{more})", names.join(", ")),
    }
}

/// What one kind of namespace shows from outside.
fn detail(process: &Process, kind: &str, apart: bool) -> Option<String> {
    match kind {
        "pid" if apart => {
            let numbers = process.numbers().ok()?;
            Some(format!("PID {} inside", numbers.last()?))
        }
        "mnt" => root(process, apart),
        "net" if apart => interfaces(process),
        "user" => users(process, apart),
        "time" if apart => {
            let seconds = process.boottime_offset().ok()?;
            Some(format!("its uptime differs by {seconds} s"))
        }
        _ => None,
    }
}

/// What is mounted on its `/`, and how.
fn root(process: &Process, apart: bool) -> Option<String> {
    let mounts = process.mounts().ok()?;
    let mounted = mounts.root().map(|root| {
        let fixed = if root.is_read_only() { ", read-only" } else { "" };
        format!("/ is {}{fixed}", root.kind)
    });
    let changed = process.link("root").is_ok_and(|root| root != "/");
    match (mounted, apart) {
        (_, false) if changed => {
            let root = process.link("root").unwrap_or_default();
            Some(format!("but / is {root} for it (chroot)"))
        }
        (_, false) => None,
        (None, true) => Some("/ is no mount (chroot)".to_owned()),
        (Some(text), true) => Some(format!("{text}, {} mounts", mounts.len())),
    }
}

/// The names of its interfaces, and an address.
fn interfaces(process: &Process) -> Option<String> {
    let devices = process.read("net/dev").ok()?;
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<&str> = names.map(|(name, _)| name.trim()).collect();
    let mut text = names.join(", ");
    if let Some(address) = address(process) {
        text += &format!(" with {address}");
    }
    Some(text)
}

/// The first of its own addresses that is not the loopback's. In net/fib_trie
/// an address is one line above its kind: "/32 host LOCAL".
fn address(process: &Process) -> Option<Ipv4Addr> {
    let trie = process.read("net/fib_trie").ok()?;
    let mut last = None;
    for line in trie.lines() {
        if line.contains("/32 host LOCAL") {
            match last {
                Some(Ipv4Addr::LOCALHOST) | None => {}
                found => return found,
            }
        }
        let word = line.trim().strip_prefix("|-- ");
        last = word.and_then(|word| word.parse().ok());
    }
    None
}

/// Its user, and in a user namespace of its own the user that its root is
/// outside.
fn users(process: &Process, apart: bool) -> Option<String> {
    let uid = process.status("Uid").ok()?;
    let uid = uid.split_whitespace().nth(1)?.to_owned();
    if !apart {
        return Some(match uid.as_str() {
            "0" => "it is root, everywhere".to_owned(),
            _ => format!("it is uid {uid}"),
        });
    }
    let map = process.uid_map().ok()?;
    let count = map.count();
    let root = match map.outside(0) {
        Some(root) => format!("root inside is uid {root} outside"),
        None => "nobody is root inside".to_owned(),
    };
    Some(format!("it is uid {uid} outside; {root}, of {count}"))
}
