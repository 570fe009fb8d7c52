//! One mount after the other is hung in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use step00::stat::fstat;
use step03::tree::{Attributes, Tree, change, change_alone};
use step03::{filesystem, open_within};

use super::options::{Options, Reach};
use super::place::{self, What};
use super::plan::Plan;
use super::{Root, Sources, copy_up, groups, root};

impl Plan<'_> {
    /// Where it goes, as a path without `.` and `..`.
    pub(super) fn destination(&self) -> PathBuf {
        place::clean(&self.wanted.destination)
    }

    /// Is something to be made in it, before it is read-only?
    fn is_filled_later(&self) -> bool {
        self.kind() == "tmpfs" || self.destination() == Path::new("/dev")
    }

    /// A new filesystem, mounted nowhere yet. `own` options come before those
    /// of config.json, which count.
    pub(super) fn new_filesystem(
        &self,
        kind: &str,
        options: &Options,
        own: &[String],
    ) -> Result<Tree> {
        let source = self.wanted.source.as_deref();
        let source = source.map_or("none", |it| it.to_str().unwrap_or("none"));
        let mut words: Vec<&str> = own.iter().map(String::as_str).collect();
        words.extend(&options.common);
        // A disk that cannot be written to says so. What is in memory only is
        // one for all who mount it: the mount alone is read-only then, or the
        // next container of a pod could not have another one.
        if options.is_read_only() && source.starts_with('/') {
            words.push("ro");
        }
        words.extend(options.data.iter().map(String::as_str));
        let is_long = |word: &&str| {
            let value = word.split_once('=').map(|(_, value)| value.len());
            value.is_some_and(|length| length > filesystem::LONGEST)
        };
        if words.iter().any(is_long) {
            ensure!(
                self.is_alone,
                "an option of more than {} bytes needs a new mount namespace",
                filesystem::LONGEST
            );
            return by_mount(kind, source, &words.join(","));
        }
        let mount = filesystem::detached(kind, source, &words)?;
        Ok(Tree::held(mount, &self.wanted.destination))
    }
}

impl Sources<'_> {
    pub(super) fn mount(&self, plan: &Plan<'_>, root: &Root) -> Result<()> {
        let mut options = plan.options.clone();
        let late = match plan.is_filled_later() && !options.remount {
            true => options.put_off_read_only(),
            false => None,
        };
        let folder = &root.folder;
        let mounted = match (&plan.source, plan.kind()) {
            _ if options.remount => return remount(folder, plan, &options),
            (Some(source), _) => self.bind(folder, plan, source, &options)?,
            (None, "proc") => {
                let mount = plan.new_filesystem("proc", &options, &[])?;
                hang(folder, plan, mount, &options, What::Proc)?
            }
            (None, "sysfs") => {
                let mount = self.sysfs(plan, &options)?;
                hang(folder, plan, mount, &options, What::Sys)?
            }
            (None, "cgroup") => {
                let is_own = self.config.makes(libc::CLONE_NEWCGROUP);
                groups::mount(folder, plan, &options, is_own)?
            }
            (None, "tmpfs") => self.tmpfs(folder, plan, &options)?,
            (None, kind) => {
                // Those of the kernel's own have labels of their own.
                let is_kernels = ["mqueue", "cgroup2"].contains(&kind);
                let own = self.label().filter(|_| !is_kernels);
                let own = Vec::from_iter(own);
                let mount = plan.new_filesystem(kind, &options, &own)?;
                hang(folder, plan, mount, &options, What::Folder)?
            }
        };
        let late = late.map(|reach| (mounted, reach));
        root.late.borrow_mut().extend(late);
        Ok(())
    }
}

impl Sources<'_> {
    /// mount(2) takes no options of a filesystem for a bind, it ignores them.
    fn bind(
        &self,
        folder: &OwnedFd,
        plan: &Plan<'_>,
        source: &Tree,
        options: &Options,
    ) -> Result<Tree> {
        let mount = source.hold()?;
        let is_folder = fstat(mount)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let is_proc = fstatfs(mount)?.filesystem_type() == PROC_SUPER_MAGIC
            && plan.destination() == Path::new("/proc");
        let what = match (is_folder, is_proc) {
            (true, true) => What::Proc,
            (true, false) => What::Folder,
            (false, _) => What::File,
        };
        if let Some(kind) = self.propagation.of_binds(self.is_mapped()) {
            root::tie(mount, (Reach::Whole, kind))?;
        }
        let mount = Tree::held(mount.try_clone_to_owned()?, &source.path);
        hang(folder, plan, mount, options, what)
    }

    /// In a user namespace the kernel makes a new sysfs only with a network
    /// namespace of that; the machine's is shown in its place (as step03 does).
    fn sysfs(&self, plan: &Plan<'_>, options: &Options) -> Result<Tree> {
        let made = plan.new_filesystem("sysfs", options, &[]);
        let is_refused = |error: &anyhow::Error| {
            error.downcast_ref() == Some(&Errno::EPERM) && self.is_mapped()
        };
        match made {
            Err(error) if is_refused(&error) => Tree::open(Path::new("/sys")),
            made => made,
        }
    }

    /// Where the root has the folder already, a tmpfs takes its mode: of /tmp
    /// that is 1777.
    fn tmpfs(
        &self,
        folder: &OwnedFd,
        plan: &Plan<'_>,
        options: &Options,
    ) -> Result<Tree> {
        let covered = open_within(
            folder,
            &plan.destination(),
            OFlag::O_PATH,
            ResolveFlag::empty(),
        );
        let mode = covered.and_then(|covered| fstat(&covered));
        let mode = mode.map(|it| format!("mode={:04o}", it.st_mode & 0o7777));
        let mut own: Vec<String> = mode.into_iter().collect();
        own.extend(self.label());
        let mount = plan.new_filesystem("tmpfs", options, &own)?;
        if options.copy_up {
            let target =
                place::open(folder, &plan.destination(), What::Folder)?;
            copy_up::copy(target.as_fd(), mount.hold()?)
                .context("copy what it covers")?;
        }
        hang(folder, plan, mount, options, What::Folder)
    }

    /// What SELinux is to call the files; without SELinux there is nothing to
    /// be called.
    fn label(&self) -> Option<String> {
        let label = self.config.linux.mount_label.as_deref();
        let label = label.filter(|label| !label.is_empty())?;
        step10::labels::has_selinux().then(|| format!("context={label}"))
    }
}

/// The same by mount(2), which takes longer words (the layers of an overlay),
/// but needs a folder: one that every machine has is covered for a moment, as
/// nobody but this process can see.
fn by_mount(kind: &str, source: &str, data: &str) -> Result<Tree> {
    const STAGING: &str = "/tmp";
    let (staging, flags) = (Path::new(STAGING), MsFlags::empty());
    mount(Some(source), staging, Some(kind), flags, Some(data))?;
    let tree = Tree::open_alone(staging)?;
    tree.hold()?;
    umount2(staging, MntFlags::MNT_DETACH)
        .with_context(|| format!("uncover {STAGING}"))?;
    Ok(tree)
}

/// Sets the attributes, hangs it in, and sets where mounts are passed on to: a
/// mount that is unbindable could not be hung in any more (EINVAL).
pub(super) fn hang(
    folder: &OwnedFd,
    plan: &Plan<'_>,
    mount: Tree,
    options: &Options,
    what: What,
) -> Result<Tree> {
    let target = place::open(folder, &plan.wanted.destination, what)?;
    turn(mount.hold()?, options)?;
    mount.attach(target.as_fd())?;
    for kind in &options.propagation {
        root::tie(mount.hold()?, *kind)?;
    }
    Ok(mount)
}

/// Attributes that are not named stay as they are. What a user namespace may
/// not take off a mount of the machine's stays by itself then, and is an error
/// only where config.json asks for that: EPERM.
pub(super) fn turn(mount: BorrowedFd<'_>, options: &Options) -> Result<()> {
    let is_some = |it: Attributes| it.set | it.clear != 0;
    if is_some(options.alone) {
        change_alone(mount, options.alone).context("set its attributes")?;
    }
    if is_some(options.whole) {
        change(mount, options.whole)
            .context("set the attributes of it and all below")?;
    }
    Ok(())
}

/// `remount`: what is mounted there already gets other attributes.
///
/// # Errors
/// When nothing is mounted there.
fn remount(
    folder: &OwnedFd,
    plan: &Plan<'_>,
    options: &Options,
) -> Result<()> {
    let path = plan.destination();
    let rules = ResolveFlag::empty();
    let mount = open_within(folder, &path, OFlag::O_PATH, rules)?;
    turn(mount.as_fd(), options)?;
    let mut words = options.common.clone();
    words.extend(options.data.iter().map(String::as_str));
    if !words.is_empty() {
        filesystem::reconfigure(mount.as_fd(), &words)
            .context("change the filesystem's options")?;
    }
    for kind in &options.propagation {
        root::tie(mount.as_fd(), *kind)?;
    }
    Ok(())
}
