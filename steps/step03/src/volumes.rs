//! Volumes: folders and files of the machine that the container may see.
//!
//! A volume is a hole in the blindfold, made on purpose. What is written
//! there is written on the machine.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{
    CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs,
};
use step00::Advice;
use step00::stat::fstat;

use crate::target;
use crate::tree::{Attributes, Tree, change};

/// `HOST:INSIDE[:ro]`, as it is written on the command line.
#[derive(Debug, Clone)]
pub struct Specification {
    host: PathBuf,
    inside: PathBuf,
    read_only: bool,
}

/// A volume that the launcher has taken hold of.
#[derive(Debug)]
pub struct Volume {
    /// The mount on the machine's side.
    pub tree: Tree,
    /// Can it be written to from inside?
    pub read_only: bool,
    inside: PathBuf,
}

/// Reads `HOST:INSIDE[:ro]`.
///
/// # Errors
/// Anything else, and a path inside that is not absolute, goes up with `..`,
/// or is `/` itself, which would hide all that was furnished there.
pub fn parse(text: &str) -> Result<Specification, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, inside, read_only) = match parts[..] {
        [host, inside] | [host, inside, "rw"] => (host, inside, false),
        [host, inside, "ro"] => (host, inside, true),
        _ => return Err("write HOST:INSIDE or HOST:INSIDE:ro".into()),
    };
    if host.is_empty() {
        return Err("a folder or file of the machine comes first".into());
    }
    let names = || Path::new(inside).components();
    if !inside.starts_with('/') || names().any(|n| n == Component::ParentDir) {
        return Err(format!("{inside:?} is no plain path from / inside"));
    }
    if names().count() < 2 {
        return Err("a volume has a place below /: use --rootfs".into());
    }
    Ok(Specification { host: host.into(), inside: inside.into(), read_only })
}

impl Specification {
    /// What comes before the colon, as it was written.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// The same with another folder or file of the machine.
    #[must_use]
    pub fn with_host(&self, host: PathBuf) -> Specification {
        Specification { host, ..self.clone() }
    }
}

/// Takes hold of each volume, with the launcher's rights.
///
/// They come in the order in which they are to be mounted. What is mounted on
/// /x covers what was mounted on /x/y before, and so the shorter path comes
/// first, whatever the order of the flags; of two that are as long, the first.
///
/// # Errors
/// When one is not there; nothing is made on the machine's side.
pub fn open_all(specifications: &[Specification]) -> Result<Vec<Volume>> {
    let mut wanted: Vec<&Specification> = specifications.iter().collect();
    wanted.sort_by_key(|volume| volume.inside.components().count());
    wanted.into_iter().map(Volume::open).collect()
}

/// Inside: makes sure that each volume is held; see [`Tree::hold`].
pub fn hold_all(volumes: &[Volume]) -> Result<()> {
    volumes.iter().try_for_each(|volume| volume.tree.hold().map(drop))
}

/// Inside: mounts each volume in the new root.
pub fn attach_all(volumes: &[Volume], new_root: &Path) -> Result<()> {
    volumes.iter().try_for_each(|volume| volume.attach(new_root))
}

impl Volume {
    fn open(wanted: &Specification) -> Result<Volume> {
        let tree = Tree::open(&wanted.host)
            .context("open a volume")
            .advice("make the folder first, or correct the part before ':'")?;
        let inside = wanted.inside.clone();
        Ok(Volume { tree, read_only: wanted.read_only, inside })
    }

    fn attach(&self, new_root: &Path) -> Result<()> {
        let inside = self.inside.display();
        let target = self
            .make_target(new_root)
            .with_context(|| format!("make {inside} for a volume"))
            .advice("name a target that is there, or can be made")?;
        if is_kernels(&target)? {
            let error = anyhow!("mount a volume on {inside}: /proc and /sys");
            return Err(error.context("keep what is the kernel's")).advice(
                "another place; programs believe what they read there",
            );
        }
        if self.read_only {
            change(self.tree.hold()?, Attributes::READ_ONLY)
                .with_context(|| format!("make {inside} read-only"))?;
        }
        self.tree
            .attach(target.as_fd())
            .with_context(|| format!("mount a volume on {inside}"))
            .advice("a folder goes on a folder, a file on a file")
    }

    /// Opens the target, making what is missing of it.
    fn make_target(&self, new_root: &Path) -> Result<OwnedFd> {
        let root = open(new_root, OFlag::O_PATH, Mode::empty())?;
        // By the descriptor: from step06 on the path may be out of reach.
        let mode = fstat(self.tree.hold()?)?.st_mode;
        let is_folder = mode & libc::S_IFMT == libc::S_IFDIR;
        let target = target::make(&root, &self.inside, is_folder)?;
        // A link may lead up to the root itself.
        let place = |place| fstat(place).map(|it| (it.st_dev, it.st_ino));
        ensure!(place(&target)? != place(&root)?, "it is / itself");
        Ok(target)
    }
}

/// Does it lie in /proc or /sys, by whatever links it was reached? What is
/// there is written to and believed: by this launcher, which masks parts of
/// it, and by every program inside.
fn is_kernels(target: &OwnedFd) -> Result<bool> {
    let kind = fstatfs(target).context("look at its filesystem")?;
    let kind = kind.filesystem_type();
    // The last of these lies in /sys, if it is anywhere.
    let kernels = [PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP2_SUPER_MAGIC];
    Ok(kernels.contains(&kind))
}
