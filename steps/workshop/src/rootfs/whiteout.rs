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
//! Paths are taken literally: a folder in one layer covers a link of that name
//! below, even where other tools would have put its files behind the link.
//!
//! Kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
//! directories". Format: OCI image specification, layer.md.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, SFlag, mknod};

use super::unpack::Unpacked;

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
    /// The filesystem holds no device nodes (`EPERM`).
    pub fn hide(&mut self, below: &[Self]) -> Result<()> {
        // overlayfs shows a merged directory as its topmost layer has it.
        self.unpacked.settle_implied(|path| mode_below(below, path));
        for folder in self.unpacked.opaque.clone() {
            self.hide_all(below, &folder)?;
        }
        for path in self.unpacked.whiteouts.clone() {
            match look(&self.root, &path)? {
                // Deleted and made anew: nothing of the old one shows through.
                Seen::Directory => self.hide_all(below, &path)?,
                Seen::Nothing if is_shown(below, &path)? => {
                    self.make_whiteout(below, &path)?;
                }
                Seen::Nothing | Seen::File | Seen::Gone => {}
            }
        }
        Ok(())
    }

    /// Hides everything that the layers below show in `folder`.
    fn hide_all(&mut self, below: &[Self], folder: &Path) -> Result<()> {
        for name in shown(below, folder)? {
            let path = folder.join(name);
            match look(&self.root, &path)? {
                Seen::Nothing => self.make_whiteout(below, &path)?,
                // overlayfs would merge the two: hide what is in it as well.
                Seen::Directory => self.hide_all(below, &path)?,
                Seen::File | Seen::Gone => {}
            }
        }
        Ok(())
    }

    fn make_whiteout(&mut self, below: &[Self], path: &Path) -> Result<()> {
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
        let mode = mode_below(below, folder);
        self.unpacked.modes.insert(folder.to_path_buf(), mode);
        Ok(())
    }
}

fn mode_below(below: &[Layer], folder: &Path) -> u32 {
    let mut modes = below.iter().rev().map(|layer| &layer.unpacked.modes);
    modes.find_map(|modes| modes.get(folder).copied()).unwrap_or(0o755)
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
