//! `target/images`: where imported images are kept.
//!
//! An image appears there whole or not at all: it is put together in
//! `NAME.new-PID` and takes its name by rename(2). The directory is private
//! (0700), because images hold setuid programs and these files belong to the
//! learner: by running one, any other user could become the learner.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};
use step03::rootfs::{self, Removal};
use step04::imported::{self, Record, is_name};

use super::remove::remove;
use crate::text::{quoted, shown, tell};

/// The folder that holds `rootfs` and `images`, normally `target`.
///
/// # Errors
/// See [`rootfs::default_path`].
pub fn target() -> Result<PathBuf> {
    let root = rootfs::default_path()?;
    Ok(root.parent().unwrap_or(Path::new("/")).to_path_buf())
}

/// An image that is being put together. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    name: String,
    folder: PathBuf,
    image: PathBuf,
    force: bool,
    _removal: Option<Removal>,
}

impl Staging {
    /// Begins an image called `name`; `force` replaces one that is there.
    ///
    /// # Errors
    /// `name` is taken, or not a plain name; `target/images` is not writable.
    pub fn begin(name: &str, force: bool) -> Result<Self> {
        ensure!(
            is_name(name),
            "call an image {}: letters, digits, '.', '_' and '-' make \
             a name, and neither '.' nor '-' begins one; choose with --name",
            quoted(name)
        );
        let images = imported::folder()?;
        fs::create_dir_all(target()?).with_context(|| {
            format!("make the folder of {}", shown(&images))
        })?;
        sweep(private(&images)?)?;
        let image = images.join(name);
        if image.exists() && !force {
            bail!(
                "{} is there already: --force replaces it, --name NAME puts \
                 the new one beside it",
                shown(&image)
            );
        }
        let folder = rootfs::sibling(&image, process::id());
        let _removal = Removal::of(&folder);
        let name = name.to_owned();
        let staging = Self { name, folder, image, force, _removal };
        private(&staging.folder)?;
        private(&staging.tree())?;
        Ok(staging)
    }

    /// What becomes the image.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// A place for what is needed only during the import.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Gives the image its name, and writes down what is known of one that has
    /// layers. Returns where it is.
    ///
    /// # Errors
    /// Somebody else has taken the name in the meantime.
    pub fn commit(self, record: Option<&Record>) -> Result<PathBuf> {
        let image = self.image.clone();
        let named = || format!("put the image at {}", shown(&image));
        if self.force && image.exists() {
            // Two steps, since a full directory cannot be renamed over.
            let old = self.scratch("old");
            fs::rename(&image, old).with_context(named)?;
        }
        match record {
            Some(record) => record.write(&self.name)?,
            None => Record::remove(&self.name)?,
        }
        fs::rename(self.tree(), &image).with_context(named)?;
        Ok(image)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // If it cannot be removed now, the next import will.
        let _ = remove(&self.folder);
    }
}

/// Removes what imports, under any name, left behind when killed.
fn sweep(images: &Path) -> Result<()> {
    let list = || format!("list {}", shown(images));
    for entry in fs::read_dir(images).with_context(list)? {
        let name = entry.with_context(list)?.file_name();
        let name = name.to_string_lossy();
        let Some((image, _)) = name.rsplit_once(".new-") else { continue };
        for left_over in rootfs::abandoned(&images.join(image))? {
            // Old rubbish is no reason to refuse new work.
            if let Err(error) = remove(&left_over) {
                tell(format_args!("left where it is: {error:#}"));
            }
        }
    }
    Ok(())
}

/// Makes a directory that only its owner can enter, whatever the umask.
fn private(path: &Path) -> Result<&Path> {
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    made.and_then(|()| {
        fs::set_permissions(path, Permissions::from_mode(0o700))
    })
    .with_context(|| format!("make {} private (0700)", shown(path)))?;
    Ok(path)
}
