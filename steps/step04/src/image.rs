//! What an overlay is assembled from: the layers of an image, a layer of the
//! launcher's own, and a place for the writes.
//!
//! The launcher takes hold of the layers (`step03::tree`); the new process
//! hangs them all into a tmpfs that exists in its mount namespace only. So
//! nothing has to be cleaned up: with the last process of the container the
//! mount namespace goes, and with that the tmpfs.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use nix::fcntl::{AtFlags, Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::unistd::{Gid, Uid, fchownat};
use step00::{Advice, Gate};
use step03::tree::Tree;

use crate::Args;
use crate::overlay::mount_overlay;

/// Covered by the tmpfs in the new mount namespace: a folder that exists on
/// every machine and that every user may reach.
const STAGING: &str = "/tmp";

/// The launcher's own layer, on top of the image's. Docker has one as well.
const OWN_LAYER: &str = "own";

/// An image and the place for the writes, opened but not yet assembled.
#[derive(Debug)]
pub struct Image {
    /// The layers, lowest first.
    pub layers: Vec<Tree>,
    /// Where the writes are kept, if they are.
    pub upper: Option<Tree>,
    /// Files of the launcher's own: absolute path inside, and content. They
    /// are no changes that the container makes, and so not in `upper`.
    pub own_files: Vec<(PathBuf, String)>,
    _lock: Option<Lock>,
}

type Lock = Flock<fs::File>;

impl Image {
    /// Takes hold of all the folders that the flags name.
    ///
    /// # Errors
    /// When a layer is not there, or the folder for the writes is in use. If
    /// that is not there, it is made.
    pub fn open(args: &Args, root: &step03::Args) -> Result<Image> {
        let folders = args.layers(root)?;
        let layers = folders.iter().map(|folder| open_layer(folder));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let upper = args.upper.as_deref().map(open_upper).transpose()?;
        let (upper, lock) = upper.unzip();
        Ok(Image { layers, upper, own_files: Vec::new(), _lock: lock })
    }

    /// Gives the folders for the writes to the user that is root inside.
    pub fn give_upper_to(&self, uid: u32, gid: u32) -> Result<()> {
        let Some(upper) = &self.upper else { return Ok(()) };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        // The folder above them is for its owner only.
        let own = AtFlags::AT_EMPTY_PATH;
        fchownat(upper.hold()?, "", uid, gid, own).with_context(|| {
            format!("give {} to root inside", upper.path.display())
        })?;
        // Not through a symbolic link, which a container that has this folder
        // as a volume can put here: what it leads to would be given away.
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        for name in ["upper", "work"] {
            fchownat(upper.hold()?, name, uid, gid, flags).with_context(
                || {
                    let path = upper.path.join(name);
                    format!("give {} to root inside", path.display())
                },
            )?;
        }
        Ok(())
    }

    /// Inside: puts the overlay together and returns where it is mounted.
    /// The launcher gets a descriptor of the folder with the writes, which
    /// outlives the mount namespace that it was made in.
    pub fn assemble(&self, gate: &Gate) -> Result<PathBuf> {
        // Held before the tmpfs covers /tmp, where an image may well be.
        self.hold()?;
        let staging = Path::new(STAGING);
        let tmpfs = Some("tmpfs");
        mount(tmpfs, staging, tmpfs, MsFlags::empty(), Some("mode=755"))
            .context("mount a tmpfs to assemble the image in")?;

        let mut lowers = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            let name = format!("layer{number}");
            attach(layer, &make_folder(&staging.join(&name))?)?;
            lowers.push(name);
        }
        self.write_own_layer(&staging.join(OWN_LAYER))?;
        lowers.push(OWN_LAYER.into());

        let writable = match &self.upper {
            None => "memory",
            Some(_) => "disk",
        };
        let folder = make_folder(&staging.join(writable))?;
        if let Some(upper) = &self.upper {
            attach(upper, &folder)?;
        }
        let upper = make_folder(&folder.join("upper"))?;
        make_folder(&folder.join("work"))?;
        let merged = make_folder(&staging.join("merged"))?;
        mount_overlay(staging, &lowers, writable)?;

        let upper = fs::File::open(&upper).context("open the upper layer")?;
        gate.hand_over("upper", upper.as_fd())?;
        Ok(merged)
    }

    /// Makes sure that each folder is held; see [`Tree::hold`].
    pub fn hold(&self) -> Result<()> {
        let mut trees = self.layers.iter().chain(&self.upper);
        trees.try_for_each(|tree| tree.hold().map(drop))
    }

    fn write_own_layer(&self, layer: &Path) -> Result<()> {
        make_folder(layer)?;
        for mount_point in ["proc", "sys", "dev"] {
            make_folder(&layer.join(mount_point))?;
        }
        for (path, content) in &self.own_files {
            let path = path.strip_prefix("/").unwrap_or(path);
            let mut parents: Vec<_> = path.ancestors().skip(1).collect();
            parents.reverse();
            for parent in parents {
                make_folder(&layer.join(parent))?;
            }
            let path = layer.join(path);
            fs::write(&path, content)
                .and_then(|()| {
                    let mode = fs::Permissions::from_mode(0o644);
                    fs::set_permissions(&path, mode)
                })
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }
}

fn open_layer(folder: &Path) -> Result<Tree> {
    let tree = Tree::open_alone(folder)
        .context("open an image layer")
        .advice("cargo workshop rootfs --help tells where images come from")?;
    let found = fs::metadata(&tree.path)
        .with_context(|| format!("look at {}", tree.path.display()))?;
    if !found.is_dir() {
        let error =
            anyhow!("open an image layer: {} is no folder", folder.display());
        return Err(error).advice("cargo workshop rootfs unpacks archives");
    }
    Ok(tree)
}

fn open_upper(folder: &Path) -> Result<(Tree, Lock)> {
    fs::create_dir_all(folder)
        .with_context(|| format!("make {}", folder.display()))
        .and_then(|()| make_private(folder))
        .and_then(|()| make_folder(&folder.join("upper")))
        .and_then(|_| make_folder(&folder.join("work")))
        .advice("--upper takes a folder of its own, or a new one")?;
    Ok((Tree::open(folder)?, lock(folder)?))
}

/// Lets nobody but its owner reach what is in the folder. Root inside may be a
/// person outside, and can leave programs there that run as that person,
/// whoever starts them (set-user-ID). (`upper` itself is the container's root
/// directory, whose mode is for the container to choose.)
///
/// # Errors
/// When there is more in it, for which others may need the way.
fn make_private(folder: &Path) -> Result<()> {
    let mut options = fs::File::options();
    let options = options.read(true).custom_flags(libc::O_DIRECTORY);
    let opened = options.open(folder);
    let opened =
        opened.with_context(|| format!("open {}", folder.display()))?;
    if opened.metadata()?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let is_ours = |name: &OsStr| name == "upper" || name == "work";
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        ensure!(
            is_ours(&name),
            "keep others out of {}: it holds {name:?} as well",
            folder.display()
        );
    }
    opened
        .set_permissions(fs::Permissions::from_mode(0o700))
        .with_context(|| format!("keep others out of {}", folder.display()))
}

/// Keeps other launchers away from the folder, as long as the result lives.
///
/// Two overlays on one upper layer would spoil each other's writes, and the
/// kernel only warns of it (overlayfs.rst, "Sharing and copying layers").
/// flock(2): the lock goes with the last process that has the file open.
fn lock(folder: &Path) -> Result<Lock> {
    step00::lock::lock(folder, FlockArg::LockExclusiveNonblock)
        .advice("an --upper for each container; this one is in use")
}

fn attach(tree: &Tree, folder: &Path) -> Result<()> {
    let target = fs::File::open(folder)
        .with_context(|| format!("open {}", folder.display()))?;
    let target: BorrowedFd<'_> = target.as_fd();
    tree.attach(target)
}

/// A folder with mode 0755 whatever the umask is; it may be there already. A
/// symbolic link is none, wherever it leads.
fn make_folder(path: &Path) -> Result<PathBuf> {
    let is_there = || path.symlink_metadata().is_ok_and(|it| it.is_dir());
    match fs::create_dir(path) {
        Err(_) if is_there() => return Ok(path.to_owned()),
        made => made
            .and_then(|()| {
                let mode = fs::Permissions::from_mode(0o755);
                let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
                let mut options = fs::File::options();
                let options = options.read(true).custom_flags(flags);
                options.open(path)?.set_permissions(mode)
            })
            .with_context(|| format!("make the folder {}", path.display()))?,
    }
    Ok(path.to_owned())
}
