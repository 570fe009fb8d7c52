//! A container in a mount namespace that is not its own: that of whoever has
//! called the runtime, or one that is joined.
//!
//! pivot_root(2) would exchange the root of everybody in there, so the process
//! goes into its root with chroot(2). That is no wall: with CAP_SYS_CHROOT
//! root inside can go out again (chroot(2), NOTES), and with CAP_SYS_ADMIN it
//! unmounts what it likes, for everybody.
//!
//! And the mounts are on everybody's table. So there are two of the root, one
//! on the other. The lower one lies on the folder itself; where the table is
//! shared with others, they see this one appear. It is private from then on,
//! and with all that is hung in on it nobody else has to do. With these two
//! everything is gone; `delete` unmounts them, and knows them by their numbers
//! ([`Mounted`]).

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::{chdir, chroot, fchdir};
use step00::Process;
use step00::stat::fstat;
use step03::tree::{MS_PRIVATE, Tree};
use step11::state::Mounted;

use super::options::Reach;
use super::root::tie;
use super::{Root, Sources};
use crate::config::Config;

/// What needs a mount namespace of the container's own.
///
/// # Errors
/// With the field: for a user namespace, whose root may mount nothing in a
/// mount namespace that is older (mount_namespaces(7), "Restrictions on mount
/// namespaces"), and for a root that would pass its mounts on.
pub(super) fn check(config: &Config) -> Result<()> {
    let user = config.namespace(libc::CLONE_NEWUSER);
    let is_new = config.makes(libc::CLONE_NEWUSER);
    let is_named = config.namespace(libc::CLONE_NEWNS).is_some();
    ensure!(
        user.is_none() || (is_named && !is_new),
        "linux.namespaces: \"user\" needs \"mount\" beside it: root in there \
         may mount nothing in another one's mount namespace"
    );
    let word = config.linux.rootfs_propagation.as_deref().unwrap_or_default();
    match word {
        "" | "private" | "rprivate" => Ok(()),
        _ => bail!(
            "linux.rootfsPropagation {word:?} needs a new mount namespace"
        ),
    }
}

/// The launcher: the lower one of the two mounts, alone.
pub(super) fn hold_lower(config: &Config, upper: &Tree) -> Result<Tree> {
    check(config)?;
    Tree::open_alone(&upper.path)
}

impl Sources<'_> {
    /// What has to be taken away when the container goes; `None` where its
    /// mounts go with its namespace.
    ///
    /// # Errors
    /// EPERM for a caller who may not mount.
    pub fn mounted(&self) -> Result<Option<Mounted>> {
        let Some(lower) = &self.lower else { return Ok(None) };
        let named = self.config.namespace(libc::CLONE_NEWNS);
        let joined = named.and_then(|it| it.joined());
        let (lower, upper) = (lower.hold()?, self.root.hold()?);
        Mounted::of(lower, upper, joined).map(Some)
    }
}

/// Inside: hangs both in.
///
/// # Errors
/// ENOENT and EINVAL when the namespace that was joined has another folder
/// there.
pub(super) fn mount_root(lower: &Tree, upper: &Tree) -> Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let place = openat2(AT_FDCWD, &lower.path, how)
        .with_context(|| format!("open {}", lower.path.display()))?;
    let (here, its) = (fstat(&place)?, fstat(lower.hold()?)?);
    ensure!(
        (here.st_dev, here.st_ino) == (its.st_dev, its.st_ino),
        "{} is another folder here",
        lower.path.display()
    );
    lower.attach(place.as_fd())?;
    tie(lower.hold()?, (Reach::Whole, MS_PRIVATE))?;
    upper.attach(lower.hold()?)?;
    Ok(upper.hold()?.try_clone_to_owned()?)
}

/// Inside: makes the folder `/`, for this process alone.
///
/// # Errors
/// EPERM without CAP_SYS_CHROOT.
pub(super) fn enter(folder: impl AsFd) -> Result<()> {
    fchdir(folder).context("enter the new root")?;
    chroot(".").context("chroot to the new root")?;
    chdir("/").context("enter the new root")
}

/// The root of a container whose mounts these are, for `exec`. Its namespace
/// does not lead there.
///
/// # Errors
/// When its first process has another root by now.
pub fn hold_root(mounted: &Mounted, process: &Process) -> Result<Root> {
    let folder = File::open(format!("/proc/{}/root", process.pid))
        .context("open the container's root")?;
    ensure!(
        mounted.is_root(folder.as_fd())?,
        "the container's process has left its root"
    );
    Ok(Root { folder: folder.into(), late: Default::default() })
}

/// Goes there, in a process that is in its namespace by now.
///
/// # Errors
/// EPERM without CAP_SYS_CHROOT.
pub fn enter_root(root: &Root) -> Result<()> {
    enter(root.folder())
}
