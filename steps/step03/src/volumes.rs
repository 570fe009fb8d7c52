//! Volumes: folders and files of the machine that the container may see.
//!
//! A volume is a hole in the blindfold, made on purpose. What is written
//! there is written on the machine.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, fstat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};
use step00::Advice;

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

/// Takes hold of each volume, with the launcher's rights.
///
/// # Errors
/// When one is not there; nothing is made on the machine's side.
pub fn open_all(specifications: &[Specification]) -> Result<Vec<Volume>> {
    specifications.iter().map(Volume::open).collect()
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
    ///
    /// The image may hold a symbolic link at any part of the path, to
    /// somewhere on the machine. RESOLVE_IN_ROOT (openat2(2)) makes the kernel
    /// follow it as if `new_root` were `/` already, so that nothing outside
    /// can be covered.
    fn make_target(&self, new_root: &Path) -> Result<OwnedFd> {
        let root = open(new_root, OFlag::O_PATH, Mode::empty())?;
        // By the descriptor: from step06 on the path may be out of reach.
        let mode = fstat(self.tree.hold()?)?.st_mode;
        let is_folder = mode & libc::S_IFMT == libc::S_IFDIR;
        let mut known = root.try_clone()?;
        let mut path = PathBuf::new();
        let mut names = self.inside.components().skip(1).peekable();
        while let Some(name) = names.next() {
            path.push(name);
            known = match open_in(&root, &path) {
                Err(Errno::ENOENT) => {
                    let is_last = names.peek().is_none();
                    match is_last && !is_folder {
                        true => make_file(&known, name.as_ref())?,
                        false => make_folder(&known, name.as_ref())?,
                    }
                    open_in(&root, &path)?
                }
                other => other?,
            };
        }
        Ok(known)
    }
}

/// Does it lie in /proc or /sys, by whatever links it was reached? What is
/// there is written to and believed: by this launcher, which masks parts of
/// it, and by every program inside.
fn is_kernels(target: &OwnedFd) -> Result<bool> {
    let kind = fstatfs(target).context("look at its filesystem")?;
    let kind = kind.filesystem_type();
    Ok([PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&kind))
}

fn open_in(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    loop {
        match openat2(root, path, how) {
            // Somebody on this machine has renamed or mounted something while
            // the kernel was about to follow `..` (openat2(2), EAGAIN).
            Err(Errno::EAGAIN) => {}
            found => return found,
        }
    }
}

/// Both modes are set afterwards, since a umask would narrow the first ones.
/// By then another process may have put a symbolic link in its place.
fn make_folder(parent: &OwnedFd, name: &Path) -> nix::Result<()> {
    let mode = Mode::from_bits_truncate(0o755);
    mkdirat(parent, name, mode)?;
    fchmodat(parent, name, mode, FchmodatFlags::NoFollowSymlink)
}

fn make_file(parent: &OwnedFd, name: &Path) -> nix::Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o644);
    drop(openat(parent, name, flags, mode)?);
    fchmodat(parent, name, mode, FchmodatFlags::NoFollowSymlink)
}
