//! Which process put another where it is.

use super::census::Census;
use super::proc::Process;
use crate::bundles;
use crate::text::printable;

/// What made its blindfolds; `None` if it wears none.
///
/// A container manager names the control group after the container. Otherwise
/// it is the nearest ancestor that has other namespaces, and if that is
/// systemd, one of its units.
pub fn maker(process: &Process, census: &Census) -> Option<String> {
    let resident = census.residents.get(&process.pid)?;
    let groups = process.read("cgroup").ok()?;
    let paths = groups.lines().filter_map(|l| l.splitn(3, ':').nth(2));
    let mut paths = paths.map(printable).peekable();
    if census.apart(resident).is_empty() {
        return None;
    }
    let path = paths.peek().cloned().unwrap_or_default();
    if let Some(container) = paths.find_map(|path| container(&path)) {
        return Some(container);
    }
    // What step12 has made is an orphan, but it knows the names of all.
    let is_in = |pid| {
        let first = census.residents.get(&pid);
        first.is_some_and(|first| first.spaces == resident.spaces)
    };
    let bundle = bundles::all().into_iter().find(|(_, pid)| is_in(*pid));
    if let Some((name, _)) = bundle {
        return Some(format!("step12 ({})", printable(&name)));
    }
    let mut ancestor = census.residents.get(&resident.parent)?;
    while ancestor.spaces == resident.spaces {
        ancestor = census.residents.get(&ancestor.parent)?;
    }
    let unit = path.rsplit('/').find(|part| part.ends_with(".service"));
    match unit {
        Some(unit) if ancestor.name.starts_with("systemd") => {
            Some(format!("{} ({unit})", ancestor.name))
        }
        _ => Some(format!("{} ({})", ancestor.name, ancestor.pid)),
    }
}

/// How the names of container managers' groups begin.
const MANAGERS: [(&str, &str); 7] = [
    ("docker-", "Docker"),
    ("docker/", "Docker"),
    ("libpod-", "Podman"),
    ("crio-", "CRI-O"),
    ("cri-containerd-", "containerd"),
    ("app-flatpak-", "Flatpak"),
    ("machine-", "systemd-machined"),
];

/// The manager and the container that this group belongs to.
fn container(path: &str) -> Option<String> {
    let found = MANAGERS.iter().find_map(|(prefix, manager)| {
        let (_, rest) = path.split_once(&format!("/{prefix}"))?;
        Some((manager, rest))
    });
    let (manager, rest) = found?;
    let name = rest.split('/').next()?.trim_end_matches(".scope");
    // Of the 64 digits of a container's number, tools show the first 12.
    let is_number = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = if is_number { 12.min(name.len()) } else { name.len() };
    Some(format!("{manager} ({})", &name[..length]))
}
