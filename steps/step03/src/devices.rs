//! A /dev with the devices that are harmless to share.
//!
//! A device node is only a name for a driver in the kernel: a process that can
//! open the disk's node has the disk. So the container gets a tmpfs with a
//! handful of nodes, *bound* from the machine's. mknod(2) could make them as
//! well, but not in a user namespace, where it is not allowed for devices.
//!
//! The nodes are the machine's own, with their owners and modes, and the binds
//! are read-only so that they stay as they are: a chmod(1) of /dev/null inside
//! would change the machine's. Reading and writing a device goes to its
//! driver, and still works.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use step00::Proc;

use crate::tree::{Attributes, Tree, change};

/// Bound one by one from the machine's /dev, if they are what they are called:
/// the numbers are the same on every machine (Documentation/admin-guide/
/// devices.txt).
const NODES: [(&str, (u32, u32)); 6] = [
    ("null", (1, 3)),
    ("zero", (1, 5)),
    ("full", (1, 7)),
    ("random", (1, 8)),
    ("urandom", (1, 9)),
    ("tty", (5, 0)),
];

/// Names that programs expect. /dev/ptmx must be that of the new devpts.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Mounts the tmpfs on the directory `dev`.
pub(crate) fn mount_dev(dev: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_new("tmpfs", dev, flags, "mode=755,size=64k")
}

/// Fills that tmpfs: nodes, links, terminals, shared memory.
pub(crate) fn fill(dev: &Path) -> Result<()> {
    let no_suid = MsFlags::MS_NOSUID;
    let no_exec = MsFlags::MS_NOEXEC;
    let hard = no_suid | no_exec | MsFlags::MS_NODEV;
    for (name, numbers) in NODES {
        bind_node(name, numbers, dev)?;
    }
    for (target, name) in LINKS {
        symlink(target, dev.join(name))
            .with_context(|| format!("link /dev/{name} to {target}"))?;
    }
    let (pts, shm) = (dev.join("pts"), dev.join("shm"));
    make_directory(&pts).context("make the folder pts")?;
    mount_new("devpts", &pts, no_suid | no_exec, &devpts_options())?;
    make_directory(&shm).context("make the folder shm")?;
    mount_new("tmpfs", &shm, hard, "mode=1777,size=64m")
}

/// Terminals belong to the group `tty`, 5 on every distribution. In a user
/// namespace where 5 is not mapped, the kernel refuses it with EINVAL.
fn devpts_options() -> String {
    let groups = Proc::own().gid_map();
    let has_tty = groups.is_ok_and(|map| map.outside(5).is_some());
    let group = if has_tty { ",gid=5" } else { "" };
    // newinstance has been the rule since Linux 4.7: no terminal of the
    // machine appears here. It is spelled out for the reader.
    format!("newinstance,ptmxmode=0666,mode=0620{group}")
}

fn bind_node(name: &str, numbers: (u32, u32), dev: &Path) -> Result<()> {
    let (source, target) = (Path::new("/dev").join(name), dev.join(name));
    // A bind needs something to cover, of the same kind: a file over a file.
    let target = File::create(&target)
        .with_context(|| format!("make a place for {name}"))?;
    let bind = || -> Result<()> {
        let node = Tree::open(&source)?;
        node.must_be_device(numbers)?;
        change(node.hold()?, Attributes::READ_ONLY)?;
        node.attach(target.as_fd())
    };
    bind().with_context(|| format!("bind {}", source.display()))
}

fn mount_new(
    kind: &str,
    target: &Path,
    flags: MsFlags,
    options: &str,
) -> Result<()> {
    mount(Some(kind), target, Some(kind), flags, Some(options))
        .with_context(|| format!("mount {kind}"))
}

/// The mode is set afterwards, since a umask would narrow that of mkdir(2).
fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
