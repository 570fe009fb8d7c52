//! The container's files: its root, what is mounted in it, its devices, and
//! what of it is covered.
//!
//! Everything is a descriptor before it is anywhere. The launcher, which may
//! walk every path of the machine, takes hold of the root and of what is bound
//! ([`Sources::open`]). The new process hangs all that in, in the order of
//! config.json, by paths that are followed within the root only, and makes the
//! new filesystems itself, since they show the namespaces of their maker.
//!
//! ```text
//!   Sources::open                      launcher, before the fork
//!   prepare, mount_all, make_devices   inside; then the hooks
//!   enter                              covers, sysctl, pivot
//!   finish                             what had to wait for it
//! ```

mod copy_up;
mod devices;
mod groups;
mod hang;
mod inherited;
mod options;
mod place;
mod plan;
mod root;
mod seal;
mod sysctl;

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use step03::target;
use step03::tree::{Attributes, Tree, change, change_alone};

use self::options::Reach;
use self::place::What;
use self::plan::Plan;
use self::root::Propagation;
use crate::config::Config;

pub use self::inherited::{enter_root, hold_root};
pub use self::options::names as option_names;

/// All that config.json's files take of the machine, in the launcher's hands.
#[derive(Debug)]
pub struct Sources<'a> {
    config: &'a Config,
    root: Tree,
    /// What `root` lies on, in a mount namespace that is not its own.
    lower: Option<Tree>,
    propagation: Propagation,
    mounts: Vec<Plan<'a>>,
}

/// The new root, in the new process.
#[derive(Debug)]
pub struct Root {
    /// The folder. It stays open past the pivot.
    folder: OwnedFd,
    /// What becomes read-only when all is made in it.
    late: RefCell<Vec<(Tree, Reach)>>,
}

impl<'a> Sources<'a> {
    /// The launcher, before the fork: takes hold of the root and of all that is
    /// bound. Paths that are not absolute begin at the bundle.
    ///
    /// # Errors
    /// With the mount, for what is not there and for what contradicts itself.
    /// Nothing has been made by then.
    pub fn open(config: &'a Config, bundle: &Path) -> Result<Sources<'a>> {
        seal::check(config)?;
        devices::check(&config.linux.devices)?;
        let propagation = Propagation::read(config)?;
        let plan = |wanted| Plan::make(config, bundle, propagation, wanted);
        let mounts = config.mounts.iter().map(plan);
        let root = root::hold(config, bundle)?;
        let lower = match config.makes(libc::CLONE_NEWNS) {
            true => None,
            false => Some(inherited::hold_lower(config, &root)?),
        };
        let mounts = mounts.collect::<Result<_>>()?;
        Ok(Sources { config, root, lower, propagation, mounts })
    }

    /// Is root inside another user than the machine's?
    fn is_mapped(&self) -> bool {
        self.config.namespace(libc::CLONE_NEWUSER).is_some()
    }

    /// Is /dev the machine's, so that nothing is to be made there?
    fn has_machines_devices(&self) -> bool {
        let is_bound = |plan: &Plan<'_>| {
            plan.source.is_some() && plan.destination() == Path::new("/dev")
        };
        self.mounts.iter().any(is_bound)
    }
}

impl Root {
    /// The folder, for what else is to be made in it; a descriptor that is
    /// opened with O_PATH.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// Inside: lets go of the machine's mounts, if the mount namespace is a new
/// one, and hangs the root in.
///
/// # Errors
/// As for mount(2) and move_mount(2).
pub fn prepare(sources: &Sources<'_>) -> Result<Root> {
    let folder = match &sources.lower {
        None => root::mount_root(&sources.root, sources.propagation),
        Some(lower) => inherited::mount_root(lower, &sources.root),
    };
    let folder = folder.context("prepare the root filesystem")?;
    Ok(Root { folder, late: RefCell::default() })
}

/// Inside: all of the root that is there before the pivot: the folder itself,
/// what is mounted in it, and the devices.
///
/// # Errors
/// Those of the three.
pub fn furnish(sources: &Sources<'_>) -> Result<Root> {
    let root = prepare(sources)?;
    mount_all(sources, &root)?;
    make_devices(sources, &root)?;
    Ok(root)
}

/// Inside: everything of `mounts`, in this order.
///
/// # Errors
/// With the mount, and what the kernel answered.
pub fn mount_all(sources: &Sources<'_>, root: &Root) -> Result<()> {
    for plan in &sources.mounts {
        sources.mount(plan, root).with_context(|| plan.name())?;
    }
    Ok(())
}

/// Inside, with everything mounted: the devices that every container has,
/// those of config.json, and links to them.
///
/// # Errors
/// With the device; also where there is something else of its name.
pub fn make_devices(sources: &Sources<'_>, root: &Root) -> Result<()> {
    match sources.has_machines_devices() {
        true => Ok(()),
        false => {
            let named = &sources.config.linux.devices;
            devices::make(&root.folder, named, sources.is_mapped())
        }
    }
}

/// Inside, with /proc and /dev/null still the machine's: sets what sysctl says,
/// covers what is not to be read or written, and makes the root `/`.
///
/// # Errors
/// With the path, and as for pivot_root(2).
pub fn enter(
    sources: &Sources<'_>,
    root: &Root,
    no_pivot: bool,
) -> Result<()> {
    seal::seal(&root.folder, sources.config)?;
    match sources.lower {
        None => root::enter(&root.folder, no_pivot),
        Some(_) => inherited::enter(&root.folder),
    }
}

/// Inside, after the pivot: what had to be changed until now, and is not to be
/// any more. The folder that the process starts in is made where it is
/// missing.
///
/// # Errors
/// As for mount_setattr(2).
pub fn finish(sources: &Sources<'_>, root: Root) -> Result<()> {
    let config = sources.config;
    if let Some(kind) = sources.propagation.of_root() {
        root::tie(root.folder(), kind)?;
    }
    if !sources.has_machines_devices() {
        devices::renew_null(&root.folder)?;
    }
    if let Some(process) = &config.process {
        let path = place::clean(Path::new(&process.cwd));
        target::make(&root.folder, &path, true)
            .with_context(|| format!("make the folder {}", process.cwd))?;
    }
    for (mount, reach) in &*root.late.borrow() {
        make_read_only(mount.hold()?, *reach).with_context(|| {
            format!("make {} read-only", mount.path.display())
        })?;
    }
    match config.root.as_ref().is_some_and(|root| root.readonly) {
        true => make_read_only(root.folder(), Reach::Alone)
            .context("make / read-only"),
        false => Ok(()),
    }
}

fn make_read_only(mount: BorrowedFd<'_>, reach: Reach) -> Result<()> {
    Ok(match reach {
        Reach::Alone => change_alone(mount, Attributes::READ_ONLY),
        Reach::Whole => change(mount, Attributes::READ_ONLY),
    }?)
}

/// Inside, before the pivot: shows what a descriptor refers to (a terminal) on
/// a path of the root, which is made where it is missing.
///
/// # Errors
/// ENOTDIR when there is a folder of that name, and as for open_tree(2).
pub fn bind_descriptor(
    root: &Root,
    descriptor: impl AsFd,
    path: &str,
) -> Result<()> {
    let bind = || -> Result<()> {
        let target = place::open(&root.folder, Path::new(path), What::File)?;
        let tree = Tree::of(descriptor.as_fd(), Path::new(path))?;
        tree.attach(target.as_fd())
    };
    bind().with_context(|| format!("show a file on {path}"))
}
