//! The handcuffs: control groups, their version and their controllers.

use std::os::unix::fs::MetadataExt;

use step00::proc::Mount;

use super::finding::{Finding, Rungs};
use super::machine::Machine;

const SUBJECT: &str = "cgroups";
const MOUNT: &str = "/sys/fs/cgroup";
/// Where the groups are as step07 takes them (step07::place says the same).
const ELSEWHERE: &str =
    "cargo workshop check 7 --vm   (or scripts/vm, to look around)";

/// What step07 cannot do without, and what only some of its flags need.
const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];
const WANTED: [&str; 2] = ["io", "cpuset"];

/// The machine's groups and, unless we are root, our own.
pub fn look(machine: &Machine) -> Vec<Finding> {
    match version(machine) {
        Ok(()) => unified(machine),
        Err(kind) => vec![old(machine, kind)],
    }
}

/// Is there one hierarchy, of version 2? If not, what there is (cgroups(7)).
fn version(machine: &Machine) -> Result<(), &'static str> {
    let kind = |point: &str| Some(machine.mounts.at(point)?.kind.as_str());
    if kind(MOUNT) == Some("cgroup2") {
        return Ok(());
    }
    if kind(&format!("{MOUNT}/unified")) == Some("cgroup2") {
        return Err("hybrid: there is a version 2, but version 1 has the \
                    limits");
    }
    let mut mounts = machine.mounts.iter();
    match mounts.any(|mount| mount.kind == "cgroup") {
        true => Err("version 1"),
        false => Err("not mounted at /sys/fs/cgroup"),
    }
}

/// Without version 2 the rungs run without handcuffs and say so. Only step07
/// then has nothing left to show.
fn old(machine: &Machine, kind: &str) -> Finding {
    if machine.release.to_lowercase().contains("microsoft") {
        let text = format!(
            "{kind}; put kernelCommandLine=cgroup_no_v1=all below [wsl2] in \
             Windows' %UserProfile%\\.wslconfig"
        );
        return Finding::missing(SUBJECT, Rungs::only(7), text)
            .mend("wsl --shutdown   (in Windows, then start it again)");
    }
    let text = format!(
        "{kind}; step07 takes version 2 (the kernel parameter \
         systemd.unified_cgroup_hierarchy=1 brings it)"
    );
    Finding::missing(SUBJECT, Rungs::only(7), text).mend(ELSEWHERE)
}

fn unified(machine: &Machine) -> Vec<Finding> {
    let rungs = Rungs::from(7);
    if machine.mounts.at(MOUNT).is_some_and(Mount::is_read_only) {
        let text = "version 2, but read-only: this container may make none";
        let finding = Finding::missing(SUBJECT, rungs, text);
        return vec![finding.mend(ELSEWHERE)];
    }
    let here = controllers(machine, MOUNT);
    let lost = |wanted: &[&'static str]| -> Vec<&str> {
        wanted.iter().copied().filter(|name| !has(&here, name)).collect()
    };
    let needed = lost(&NEEDED);
    if !needed.is_empty() {
        return vec![without(&needed, &here)];
    }
    if is_held(machine) {
        let text = "version 2, but a container's group, with processes in \
                    it: such a one may not hand down controllers";
        let finding = Finding::missing(SUBJECT, rungs, text);
        return vec![finding.mend(ELSEWHERE)];
    }
    let wanted = lost(&WANTED);
    let mut found = vec![match wanted.is_empty() {
        true => {
            let text = format!("version 2, with {here}");
            Finding::fine(SUBJECT, rungs, text)
        }
        false => {
            let text = format!(
                "version 2, without {}: some flags fail",
                wanted.join(", ")
            );
            Finding::note(SUBJECT, Rungs::only(7), text).mend(ELSEWHERE)
        }
    }];
    found.extend(delegated(machine));
    found
}

/// Is the topmost group that we see a container's, and does it hold processes?
/// The machine's own is the only one without a `cgroup.type`. Any other may
/// pass controllers down only while it is empty; otherwise the kernel answers
/// EBUSY (cgroups(7), "no internal processes").
fn is_held(machine: &Machine) -> bool {
    let file = |name: &str| machine.read(&format!("{MOUNT}/{name}"));
    let given = file("cgroup.subtree_control").unwrap_or_default();
    file("cgroup.type").is_some()
        && file("cgroup.procs").is_some_and(|procs| !procs.is_empty())
        && NEEDED.iter().any(|name| !has(&given, name))
}

/// Where there is version 2, all rungs from step07 on insist on it.
fn without(lost: &[&str], here: &str) -> Finding {
    let lost = lost.join(", ");
    let text = format!(
        "version 2, but without {lost}: only {here}. Raspberry Pi OS takes \
         cgroup_enable=memory in /boot/firmware/cmdline.txt; in a container, \
         the group above must hand it down"
    );
    Finding::missing(SUBJECT, Rungs::from(7), text).mend(ELSEWHERE)
}

fn controllers(machine: &Machine, group: &str) -> String {
    let path = format!("{group}/cgroup.controllers");
    machine.read(&path).unwrap_or_default()
}

fn has(controllers: &str, name: &str) -> bool {
    controllers.split(' ').any(|controller| controller == name)
}

/// Without root there are handcuffs only in a group that was delegated to the
/// user: its folder belongs to the user, and it has the controllers.
fn delegated(machine: &Machine) -> Option<Finding> {
    if machine.is_root() {
        return None;
    }
    let own = format!("{MOUNT}{}", machine.own().group().ok()??);
    let uid = machine.status("Uid")?;
    let uid: u32 = uid.split_whitespace().nth(1)?.parse().ok()?;
    let folder = machine.path(&own).metadata().ok();
    let is_own = folder.is_some_and(|folder| folder.uid() == uid);
    let here = controllers(machine, &own);
    let lost = NEEDED.iter().filter(|name| !has(&here, name));
    let lost: Vec<&str> = lost.copied().collect();
    let text = match (is_own, lost.is_empty()) {
        (true, true) => return None,
        (true, false) => {
            format!("your own group lacks {}", lost.join(", "))
        }
        (false, _) => "your own group is root's".to_owned(),
    };
    let text = format!("{text}: no handcuffs with --rootless");
    let mend = "systemd-run --user --scope -p Delegate=yes bash";
    Some(Finding::note("delegation", Rungs::from(7), text).mend(mend))
}
