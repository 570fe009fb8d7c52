//! Turns what a layer deletes into what overlayfs understands.
//!
//! In an image's tar a deletion is a file: `.wh.NAME` hides NAME of the layers
//! below, `.wh..wh..opq` hides all that they show in its directory. overlayfs
//! knows a deletion as a *whiteout*: a character device with number 0/0. No
//! driver answers to it, and since Linux 5.8 mknod needs no privilege for it.
//!
//! For "all", overlayfs has an extended attribute, but one that only root may
//! set (`trusted.`) and another for user namespaces (`user.`). Here each name
//! gets a whiteout of its own instead, which both kinds of mount understand.
//!
//! A file goes behind the links on its way, into whatever layer they lead, as
//! umoci and containerd do it. A folder that a layer lists covers a link of
//! that name below.
//!
//! Kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
//! directories". Format: OCI image specification, layer.md.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{Mode, SFlag, mknod};

use super::budget::Budget;
use super::unpack::{Folder, Unpacked};
use crate::text::printable;

/// A layer, and the directory that it was unpacked in.
#[derive(Debug)]
pub struct Layer {
    /// Where it is.
    pub root: PathBuf,
    /// What came out of its archive.
    pub unpacked: Unpacked,
}

/// What a path is in one layer alone.
#[derive(PartialEq, Eq)]
enum Seen {
    /// Nothing: the layers below decide.
    Nothing,
    /// A directory, merged with those below.
    Directory,
    /// A file or a link, in place of whatever is below.
    File,
    /// A whiteout, or a file in place of a directory above: it is gone, in
    /// this layer and in all below.
    Gone,
}

impl Layer {
    /// Makes the whiteouts of this layer, which is on top of `below` (lowest
    /// first). To delete what no layer below shows would hide nothing, and
    /// makes no whiteout.
    ///
    /// # Errors
    /// The filesystem holds no device nodes (`EPERM`), or there are too many.
    pub fn hide(&mut self, below: &[Self], budget: &Budget) -> Result<()> {
        // overlayfs shows a merged directory as its topmost layer has it.
        self.unpacked.settle_implied(|path| folder_below(below, path));
        for folder in self.unpacked.opaque.clone() {
            self.hide_all(below, &folder, budget)?;
        }
        for path in self.unpacked.whiteouts.clone() {
            match look(&self.root, &path)? {
                // Deleted and made anew: nothing of the old one shows through.
                Seen::Directory => self.hide_all(below, &path, budget)?,
                Seen::Nothing if is_shown(below, &path)? => {
                    self.make_whiteout(below, &path, budget)?;
                }
                Seen::Nothing | Seen::File | Seen::Gone => {}
            }
        }
        Ok(())
    }

    /// Hides everything that the layers below show in `folder`.
    fn hide_all(
        &mut self,
        below: &[Self],
        folder: &Path,
        budget: &Budget,
    ) -> Result<()> {
        budget.spend(0)?;
        for name in shown(below, folder)? {
            let path = folder.join(name);
            match look(&self.root, &path)? {
                Seen::Nothing => {
                    self.make_whiteout(below, &path, budget)?;
                }
                // overlayfs would merge the two: hide what is in it as well.
                Seen::Directory => self.hide_all(below, &path, budget)?,
                Seen::File | Seen::Gone => {}
            }
        }
        Ok(())
    }

    fn make_whiteout(
        &mut self,
        below: &[Self],
        path: &Path,
        budget: &Budget,
    ) -> Result<()> {
        budget.enter()?;
        self.make_parents(below, path.parent().unwrap_or(Path::new("")))?;
        let file = self.root.join(path);
        mknod(&file, SFlag::S_IFCHR, Mode::empty(), 0).with_context(|| {
            format!(
                "make the whiteout {} (a device node 0/0): this filesystem \
                 holds none, put the target folder on ext4, xfs or btrfs \
                 with CARGO_TARGET_DIR",
                file.display()
            )
        })
    }

    /// Directories that exist only so that a whiteout can lie in them. They
    /// are merged with those below and must look like them.
    fn make_parents(&mut self, below: &[Self], folder: &Path) -> Result<()> {
        if look(&self.root, folder)? == Seen::Directory {
            return Ok(());
        }
        self.make_parents(below, folder.parent().unwrap_or(Path::new("")))?;
        let path = self.root.join(folder);
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("make {}", path.display()))?;
        let seen = folder_below(below, folder);
        self.unpacked.folders.insert(folder.to_path_buf(), seen);
        Ok(())
    }
}

fn folder_below(below: &[Layer], path: &Path) -> Folder {
    let mut all = below.iter().rev().map(|layer| &layer.unpacked.folders);
    let found = all.find_map(|folders| folders.get(path).copied());
    found.unwrap_or(Folder::USUAL)
}

/// How many links a path may go through, for the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Where `folder` is in the layer `upper`, on top of `below`, once every link
/// on the way is followed, wherever it leads: its target may be in a lower
/// layer, or nowhere yet. `/` is the image.
///
/// # Errors
/// There are too many links, or something cannot be read.
pub fn through_links(
    upper: &Unpacked,
    below: &[Layer],
    folder: &Path,
) -> Result<PathBuf> {
    let mut rest: Vec<OsString> =
        folder.iter().rev().map(OsString::from).collect();
    let (mut real, mut links) = (PathBuf::new(), 0);
    while let Some(part) = rest.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        real.push(&part);
        let Some(link) = link_at(upper, below, &real)? else { continue };
        links += 1;
        ensure!(links <= LINKS, "its folder is behind too many links");
        real.pop();
        for part in link.components().rev() {
            match part {
                Component::Normal(part) => rest.push(part.into()),
                Component::ParentDir => rest.push("..".into()),
                Component::RootDir => real = PathBuf::new(),
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }
    Ok(real)
}

/// Where the link leads that `path` is, if it is one.
fn link_at(
    upper: &Unpacked,
    below: &[Layer],
    path: &Path,
) -> Result<Option<PathBuf>> {
    let read = || format!("read the link {}", printable(path));
    match upper.stat(path) {
        Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFLNK => {
            return upper.link(path).map(Some).with_context(read);
        }
        Ok(_) => return Ok(None),
        Err(_) => {}
    }
    let is_gone = path.ancestors().any(|p| upper.whiteouts.contains(p))
        || path.ancestors().skip(1).any(|p| upper.opaque.contains(p));
    for layer in below.iter().rev().take_while(|_| !is_gone) {
        match look(&layer.root, path)? {
            Seen::Nothing => {}
            Seen::Directory | Seen::Gone => return Ok(None),
            Seen::File => {
                // EINVAL: it is no link.
                return Ok(fs::read_link(layer.root.join(path)).ok());
            }
        }
    }
    Ok(None)
}

/// Whether `layers`, stacked, show `path`: the topmost that knows it decides.
fn is_shown(layers: &[Layer], path: &Path) -> Result<bool> {
    for layer in layers.iter().rev() {
        match look(&layer.root, path)? {
            Seen::Nothing => {}
            Seen::Directory | Seen::File => return Ok(true),
            Seen::Gone => return Ok(false),
        }
    }
    Ok(false)
}

/// The names that `layers`, stacked, show in `folder`: what overlayfs would
/// list there, read from the top down.
fn shown(layers: &[Layer], folder: &Path) -> Result<BTreeSet<OsString>> {
    let mut shown = BTreeSet::new();
    let mut hidden = BTreeSet::new();
    for layer in layers.iter().rev() {
        match look(&layer.root, folder)? {
            Seen::Nothing => continue,
            Seen::File | Seen::Gone => break,
            Seen::Directory => {}
        }
        let path = layer.root.join(folder);
        let list = || format!("list {}", path.display());
        for entry in fs::read_dir(&path).with_context(list)? {
            let entry = entry.with_context(list)?;
            if is_whiteout(&entry.metadata().with_context(list)?) {
                hidden.insert(entry.file_name());
            } else if !hidden.contains(&entry.file_name()) {
                shown.insert(entry.file_name());
            }
        }
    }
    Ok(shown)
}

/// Looks at each part of the path by itself and follows no link.
fn look(root: &Path, path: &Path) -> Result<Seen> {
    let mut here = root.to_path_buf();
    for part in path {
        here.push(part);
        match here.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => {
                let last = here == root.join(path);
                let file = last && !is_whiteout(&metadata);
                return Ok(if file { Seen::File } else { Seen::Gone });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Seen::Nothing);
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("look at {}", here.display()));
            }
        }
    }
    Ok(Seen::Directory)
}

fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}
