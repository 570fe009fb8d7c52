//! Filesystems: overlayfs, the working folder's, and room on it.

use std::path::Path;

use super::container;
use super::finding::{ALL, Finding, Rungs, name};
use super::machine::Machine;
use super::options::{Options, Part, Support};

const OVERLAY: Part = Part { option: "CONFIG_OVERLAY_FS", module: "overlay" };

/// In MiB: what running takes, what building all rungs takes before that, and
/// what a virtual machine needs.
const LEAST: u64 = 50;
const BUILD: u64 = 600;
const PLENTY: u64 = 2000;

/// Filesystems without Linux's owners and device numbers, or not with ours:
/// shared by a host with its virtual machine, or over the network.
const FOREIGN: [&str; 8] =
    ["9p", "drvfs", "vboxsf", "virtiofs", "nfs", "nfs4", "cifs", "fuse"];

/// What the rungs from step03 on will find.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let mut found = vec![overlay(machine), folder(machine), room(machine)];
    found.extend(covered(machine));
    found
}

fn overlay(machine: &Machine) -> Finding {
    let (subject, rungs) = ("overlayfs", Rungs::from(4));
    let known = machine.read("/proc/filesystems").unwrap_or_default();
    let is_known = known.lines().any(|line| line.ends_with("\toverlay"));
    if is_known {
        return Finding::fine(subject, rungs, "this kernel has it");
    }
    match Options::read(machine).support(OVERLAY) {
        Support::Here => Finding::fine(subject, rungs, "this kernel has it"),
        Support::Loadable => {
            Finding::fine(subject, rungs, "a module, loaded on first use")
        }
        Support::Unknown => {
            let text = "not in /proc/filesystems; whether it is a module, \
                        nothing here tells";
            Finding::note(subject, rungs, text).mend("sudo modprobe overlay")
        }
        Support::NoModule | Support::Absent => {
            let text = "neither in this kernel nor among its modules in \
                        /lib/modules (a kernel that was upgraded since the \
                        last start has lost them)";
            Finding::missing(subject, rungs, text).mend(
                "sudo reboot   (no help? scripts/vm cargo run -p step04)",
            )
        }
    }
}

fn folder(machine: &Machine) -> Finding {
    let subject = "folder";
    let kind = machine.mounts.under(&machine.folder);
    let kind = kind.map_or("an unknown filesystem", |mount| &mount.kind);
    // `fuse.sshfs` is one of the fuses.
    let family = kind.split('.').next().unwrap_or_default();
    if FOREIGN.contains(&family) {
        let text = format!(
            "the workshop lies on {kind}, without Linux's own \
                            owners and links"
        );
        return Finding::note(subject, Rungs::from(3), text)
            .mend("cp -r . ~/workshop && cd ~/workshop");
    }
    if kind == "overlay" {
        let text = "the workshop itself lies on an overlay, so step04's \
                    --upper is refused in here (without it, writes go to \
                    memory)";
        return Finding::note(subject, Rungs::only(4), text)
            .mend("df -T   (shows folders that lie on something else)");
    }
    Finding::fine(subject, Rungs::from(3), format!("lies on {kind}"))
}

fn room(machine: &Machine) -> Finding {
    let Ok(bytes) = step00::stat::room(&machine.folder) else {
        let text = format!("cannot look at {}", machine.folder.display());
        return Finding::note("room", ALL, text);
    };
    let is_built =
        |rung| machine.folder.join("debug").join(name(rung)).exists();
    let least = match ALL.numbers().all(is_built) {
        true => LEAST,
        false => BUILD,
    };
    enough(bytes / (1 << 20), least)
}

/// What to say of so many MiB, where so many are needed.
fn enough(room: u64, least: u64) -> Finding {
    let subject = "room";
    let text = match room {
        0..10240 => format!("{room} MiB are free"),
        _ => format!("{} GiB are free", room / 1024),
    };
    match room {
        PLENTY.. => Finding::fine(subject, ALL, text),
        _ if room >= least => {
            let text = format!("{text}: enough, but not for scripts/vm");
            Finding::note(subject, Rungs::only(7), text).mend("cargo clean")
        }
        _ => {
            let text = format!("{text}; it takes {least}");
            Finding::missing(subject, ALL, text).mend("cargo clean")
        }
    }
}

/// In a new user namespace /proc may be mounted only where the old one is in
/// full view (mount_too_revealing() in fs/namespace.c). Where a container
/// hides parts of it, containers inside cannot have one either.
fn covered(machine: &Machine) -> Option<Finding> {
    // Folders that are empty for good hide nothing, whatever is mounted there.
    let empty = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"].map(Path::new);
    let proc = Path::new("/proc");
    let mut mounts = machine.mounts.iter();
    let cover = mounts.find(|mount| {
        let point = mount.point.as_path();
        point.starts_with(proc) && point != proc && !empty.contains(&point)
    })?;
    let text = format!(
        "parts of /proc are covered here ({}), and so no user namespace may \
         have its own",
        cover.point.display()
    );
    Some(
        Finding::missing("proc", Rungs::from(6), text)
            .mend(container::mend(machine)),
    )
}

#[cfg(test)]
mod tests {
    use step00::proc::Mounts;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_small_one() {
        assert_eq!(enough(BUILD - 1, BUILD).state, State::Missing);
        assert_eq!(enough(BUILD, BUILD).state, State::Note);
        assert_eq!(enough(PLENTY, BUILD).state, State::Fine);
    }

    #[test]
    fn a_folder_lies_on_the_nearest_mount_and_the_topmost() {
        let mounts = b"\
22 1 0:1 / / rw - overlay overlay rw
23 22 0:2 / /home rw - nfs host rw
24 23 0:3 / /home rw - ext4 disk rw
25 24 0:4 / /home/annex rw - xfs disk rw
";
        let mounts = Mounts::parse(mounts, None);
        let kind = |folder| &mounts.under(folder).unwrap().kind;
        assert_eq!(kind("/home/ann"), "ext4");
        assert_eq!(kind("/home/annex/a"), "xfs");
        assert_eq!(kind("/homes"), "overlay");
    }
}
