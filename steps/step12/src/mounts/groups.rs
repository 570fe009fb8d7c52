//! A mount of type `cgroup`: the container's own groups as files.
//!
//! With cgroup v2 that is one filesystem. v1 has one for each hierarchy; they
//! are shown in a tmpfs, as on the machine, and `cpu` is a link to
//! `cpu,cpuacct`.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::symlinkat;
use step00::Proc;
use step03::filesystem;
use step03::tree::Tree;
use step07::place::MOUNT;

use super::hang::{hang, turn};
use super::make_read_only;
use super::options::Options;
use super::place::What;
use super::plan::Plan;
use crate::cgroup::own_in_v1;

/// Mounts whatever this machine has. `is_own`: in a cgroup namespace, of which
/// the container's group is the root.
pub(super) fn mount(
    root: &OwnedFd,
    plan: &Plan<'_>,
    options: &Options,
    is_own: bool,
) -> Result<Tree> {
    let mount = match is_unified(Path::new(MOUNT))? {
        true => return unified(root, plan, options),
        false => filesystem::detached("tmpfs", "tmpfs", &["mode=755"])?,
    };
    // What is in it is read-only or not as the options say, and the folder
    // itself once it is full.
    let mut own = options.clone();
    let late = own.put_off_read_only();
    let mount = Tree::held(mount, &plan.wanted.destination);
    let mount = hang(root, plan, mount, &own, What::Folder)?;
    for (point, group) in own_in_v1()? {
        let name = point.file_name().and_then(OsStr::to_str);
        let name = name.context("find the name of a tree of groups")?;
        show(&mount, name, (!is_own).then_some(&group), options)
            .with_context(|| format!("show the groups of {name}"))?;
    }
    late.map_or(Ok(()), |reach| make_read_only(mount.hold()?, reach))?;
    Ok(mount)
}

/// The machine's own options (`nsdelegate`, `memory_recursiveprot`) are taken
/// from whoever mounts it last in the first of all cgroup namespaces, and are
/// switched off where a mount does not name them (cgroup-v2.rst, "Mounting").
/// A container that shares that one is shown the mount that is there.
///
/// EPERM: without a cgroup namespace of its own a user namespace may not mount
/// it. EBUSY: it is mounted there already. The machine's is shown then.
fn unified(
    root: &OwnedFd,
    plan: &Plan<'_>,
    options: &Options,
) -> Result<Tree> {
    let made = match is_first()? {
        true => Err(Errno::EBUSY.into()),
        false => plan.new_filesystem("cgroup2", options, &[]),
    };
    let mount = match made {
        Ok(mount) => mount,
        Err(error) => match error.downcast_ref() {
            Some(Errno::EPERM | Errno::EBUSY) => Tree::open(Path::new(MOUNT))?,
            _ => return Err(error),
        },
    };
    hang(root, plan, mount, options, What::Folder)
}

/// Is this process in the cgroup namespace that the machine began with? It has
/// the same inode on every machine (PROC_CGROUP_INIT_INO, linux/proc_ns.h).
fn is_first() -> Result<bool> {
    const FIRST: &str = "cgroup:[4026531835]";
    Ok(Proc::own().namespace("cgroup")? == FIRST)
}

/// Makes a folder in the tmpfs, and links by the names of its controllers.
/// Without a cgroup namespace `group` is bound there.
fn show(
    tmpfs: &Tree,
    name: &str,
    group: Option<&PathBuf>,
    options: &Options,
) -> Result<()> {
    let mode = Mode::from_bits_truncate(0o755);
    mkdirat(tmpfs.hold()?, name, mode)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = openat(tmpfs.hold()?, name, flags, Mode::empty())?;
    let mount = match group {
        Some(group) => Tree::open(group)?,
        // The root of a new mount is that of the cgroup namespace.
        None => {
            let option = match name {
                "systemd" => "name=systemd",
                name => name,
            };
            let options: Vec<&str> = option.split(',').collect();
            let mount = filesystem::detached("cgroup", "cgroup", &options)?;
            Tree::held(mount, Path::new(name))
        }
    };
    turn(mount.hold()?, options)?;
    mount.attach(folder.as_fd())?;
    for controller in name.split(',').filter(|it| *it != name) {
        symlinkat(name, tmpfs.hold()?, controller)?;
    }
    Ok(())
}

fn is_unified(place: &Path) -> Result<bool> {
    let found = statfs(place).with_context(|| format!("look at {place:?}"))?;
    Ok(found.filesystem_type() == CGROUP2_SUPER_MAGIC)
}
