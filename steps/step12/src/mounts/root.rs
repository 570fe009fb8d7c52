//! The folder that becomes `/`.

use std::env::current_dir;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::fchdir;
use step00::Proc;
use step00::proc::Mount;
use step03::root;
use step03::tree::{
    Attributes, MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, Tree, change,
    change_alone,
};

use super::inherited;
use super::options::Reach;
use super::place::path_of;
use crate::config::Config;

/// `linux.rootfsPropagation`: do mounts of the machine that are made later
/// appear in the container, and the other way round?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Propagation {
    /// What the specification leaves open: the root is private, but binds
    /// follow the machine.
    Unsaid,
    Private,
    Slave,
    Shared(Reach),
    Unbindable(Reach),
}

impl Propagation {
    pub(super) fn read(config: &Config) -> Result<Propagation> {
        if !config.makes(libc::CLONE_NEWNS) {
            inherited::check(config)?;
            return Ok(Propagation::Private);
        }
        let word = config.linux.rootfs_propagation.as_deref();
        Ok(match word.unwrap_or_default() {
            "" => Propagation::Unsaid,
            "private" | "rprivate" => Propagation::Private,
            "slave" | "rslave" => Propagation::Slave,
            "shared" => Propagation::Shared(Reach::Alone),
            "rshared" => Propagation::Shared(Reach::Whole),
            "unbindable" => Propagation::Unbindable(Reach::Alone),
            "runbindable" => Propagation::Unbindable(Reach::Whole),
            other => bail!(
                "linux.rootfsPropagation {other:?} is not supported: private, \
                 slave, shared and unbindable are"
            ),
        })
    }

    /// The ties of a bind mount to the machine's mounts, before its own words
    /// are heard. A user namespace never gets more than to follow: what root
    /// in there mounts must not appear on the machine.
    pub(super) fn of_binds(self, is_mapped: bool) -> Option<u64> {
        match self {
            Propagation::Private => Some(MS_PRIVATE),
            Propagation::Shared(_) if !is_mapped => None,
            _ => Some(MS_SLAVE),
        }
    }

    /// Are binds to be in one peer group with the machine's mounts?
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Propagation::Shared(_))
    }

    /// Those of `/` at the end, where they are not what they are already.
    pub(super) fn of_root(self) -> Option<(Reach, u64)> {
        match self {
            Propagation::Shared(reach) => Some((reach, MS_SHARED)),
            Propagation::Unbindable(reach) => Some((reach, MS_UNBINDABLE)),
            _ => None,
        }
    }
}

/// The launcher: takes hold of the folder.
///
/// The path to the bundle is the caller's, and may have links. What config.json
/// says from there on may not: another folder than it names would become `/`.
///
/// # Errors
/// When it is not there, is no folder or is the machine's `/`, ELOOP for a
/// link.
pub(super) fn hold(config: &Config, bundle: &Path) -> Result<Tree> {
    let path = config.root.as_ref().context("root must be specified")?;
    let path = &path.path;
    let what = || format!("root.path {path:?}");
    let find = || -> Result<Tree> {
        ensure!(!path.as_os_str().is_empty(), "it is empty");
        let bundle = bundle.canonicalize()?;
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        openat2(AT_FDCWD, &bundle.join(path), how)?;
        // In everybody's mount namespace nothing of it is to be passed on.
        let tree = match config.makes(libc::CLONE_NEWNS) {
            true => Tree::open_tied(&bundle.join(path), true)?,
            false => Tree::open(&bundle.join(path))?,
        };
        ensure!(tree.path != Path::new("/"), "it is the machine's own root");
        Ok(tree)
    };
    find().with_context(what)
}

/// Inside: a mount namespace that the machine's mounts are not changed from,
/// with the root in it.
///
/// The root lies on its own path, where a hook looks for it. Root inside may
/// not be able to walk there; then it lies on `/`, above which no path leads,
/// and is known by its descriptor alone.
pub(super) fn mount_root(
    tree: &Tree,
    propagation: Propagation,
) -> Result<OwnedFd> {
    match propagation {
        Propagation::Private => root::make_private()?,
        _ => follow_the_machine()?,
    }
    let mount = tree.hold()?;
    // Below it may be binds of the machine's folders, in whatever engine.
    let below = match propagation {
        Propagation::Private => MS_PRIVATE,
        _ => MS_SLAVE,
    };
    tie(mount, (Reach::Whole, below))?;
    if propagation != Propagation::Slave {
        tie(mount, (Reach::Alone, MS_PRIVATE))?;
    }
    let place = |path: &Path| {
        let mut options = File::options();
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        options.read(true).custom_flags(flags).open(path)
    };
    let its = match place(&tree.path) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            place(Path::new("/"))
        }
        found => found,
    };
    tree.attach(its.context("open the root's place")?.as_fd())?;
    Ok(mount.try_clone_to_owned()?)
}

/// What is mounted on the machine later appears here as well, but not the
/// other way round (mount_namespaces(7), MS_SLAVE).
fn follow_the_machine() -> Result<()> {
    let (none, flags) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE);
    mount(none, "/", none, flags, none)
        .context("make every mount a slave of the machine's")
}

/// Sets where mounts are passed on to and where they come from.
///
/// # Errors
/// As for mount_setattr(2).
pub(super) fn tie(
    mount: BorrowedFd<'_>,
    (reach, propagation): (Reach, u64),
) -> Result<()> {
    let attributes = Attributes { propagation, ..Attributes::default() };
    match reach {
        Reach::Alone => change_alone(mount, attributes),
        Reach::Whole => change(mount, attributes),
    }
    .context("set the propagation")
}

/// Inside: makes the folder `/`.
///
/// `no_pivot` is for a machine whose `/` is the initramfs: that cannot be
/// exchanged (pivot_root(2), EINVAL), so the new root is moved on top of it,
/// and chroot(2) goes there.
pub(super) fn enter(folder: &OwnedFd, no_pivot: bool) -> Result<()> {
    if !no_pivot {
        return root::pivot(&path_of(folder));
    }
    // By the descriptor, since /proc goes next.
    fchdir(folder).context("enter the new root")?;
    hide_the_kernels()?;
    let (none, flags) = (None::<&str>, MsFlags::MS_MOVE);
    mount(Some("."), "/", none, flags, none)
        .context("move the new root on to /")?;
    inherited::enter(folder)
}

/// The old root stays mounted below the new one. In a user namespace the kernel
/// lets a process mount a proc or sysfs of its own wherever one is fully
/// visible in its mount namespace, and so those of the machine go.
fn hide_the_kernels() -> Result<()> {
    let is_whole = |mount: &&Mount| {
        ["proc", "sysfs"].contains(&&*mount.kind)
            && mount.root == Path::new("/")
    };
    let mounts = Proc::own().mounts()?;
    let here = current_dir().context("find the new root")?;
    let outside = mounts.iter().filter(is_whole);
    for mount in outside.filter(|mount| !mount.point.starts_with(&here)) {
        let point = &mount.point;
        match umount2(point, MntFlags::MNT_DETACH) {
            // It went with the one above it.
            Ok(()) | Err(Errno::ENOENT) => {}
            // Not ours to take off: it is covered.
            Err(Errno::EINVAL | Errno::EPERM) => cover(point)?,
            Err(errno) => Err(errno)
                .with_context(|| format!("unmount {}", point.display()))?,
        }
    }
    Ok(())
}

fn cover(point: &Path) -> Result<()> {
    let (tmpfs, flags) = (Some("tmpfs"), MsFlags::MS_RDONLY);
    mount(tmpfs, point, tmpfs, flags, None::<&str>)
        .with_context(|| format!("cover {}", point.display()))
}
