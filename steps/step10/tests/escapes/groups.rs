//! Control groups, version 1: a program that the kernel starts.
//!
//! In each hierarchy of version 1 the file `release_agent` names a program
//! that the kernel runs as the machine's root when a group becomes empty
//! (cgroups(7)). The hierarchy here is the test's own, without any controller;
//! no other groups are in it.

use std::fs::{self, File};
use std::io::Write;

use nix::mount::{MsFlags, mount};
use witness::{Covers, Folder, Machine};

use crate::{
    ALL_POWERS, Answer, IDENTITY, NO_FILTER, done, errno, inside, outside,
};

const PLACE: &str = "/tmp/groups";

/// Mounts the hierarchy of this name.
pub fn mount_groups(name: &str) -> Answer {
    fs::create_dir_all(PLACE).map_err(errno)?;
    mount_hierarchy(name, PLACE)?;
    done()
}

/// Names a program. No group is told to call it.
pub fn set_agent(_: &str) -> Answer {
    let agent = format!("{PLACE}/release_agent");
    let mut agent = File::options().write(true).open(agent).map_err(errno)?;
    agent.write_all(b"/bin/true").map_err(errno)?;
    done()
}

fn mount_hierarchy(name: &str, target: &str) -> nix::Result<()> {
    let options = format!("none,name={name}");
    let kind = Some("cgroup");
    mount(kind, target, kind, MsFlags::empty(), Some(options.as_str()))
}

#[test]
fn no_release_agent_can_be_named() {
    let _machine = Machine::new();
    let folder = Folder::new();
    // Mounts of this thread's own.
    let _mounts = Covers::new();
    let name = format!("witness-{}", std::process::id());
    let target = folder.path().to_str().expect("a plain path");
    mount_hierarchy(&name, target).expect("a kernel with cgroup version 1");

    let mount = format!("mount-groups {name}");
    let attempts = [mount.as_str(), "set-agent"];
    let free = [&NO_FILTER[..], &ALL_POWERS].concat();
    for (flags, answers) in [
        // Four guards, one behind the other. The filter: mount(2) is refused.
        (&[][..], ["EPERM", "ENOENT"]),
        // CAP_SYS_ADMIN, which mount(2) takes.
        (&NO_FILTER, ["EPERM", "ENOENT"]),
        // The user namespace: the file belongs to the machine's root, who is
        // nobody inside.
        (&free, ["done", "EACCES"]),
        // And the kernel itself asks for CAP_SYS_ADMIN on the machine, since
        // Linux 5.17 (CVE-2022-0492).
        (&[&free[..], &IDENTITY].concat(), ["done", "EPERM"]),
    ] {
        assert_eq!(inside(flags, &attempts), answers, "{flags:?}");
    }
    // A new hierarchy can be made from the machine's cgroup namespace only.
    let flags = [&free[..], &IDENTITY].concat();
    assert_eq!(inside(&flags, &[&format!("{mount}-new")]), ["EPERM"]);
    // The control. The folder is made below /tmp in mounts of its own.
    let place = "mount tmpfs none /tmp";
    let control = outside(&[place, &mount, "set-agent"]);
    assert_eq!(control, ["done", "done", "done"]);
}
