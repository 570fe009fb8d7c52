//! What the container has changed, read from its upper layer: `docker diff`.
//!
//! Nothing has to be compared: a name in `upper` was added or changed, and a
//! whiteout is a name that was deleted.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::image::Image;

/// Prints a line on stderr for each name that was (A)dded, (C)hanged or
/// (D)eleted. `upper` is what the container handed over.
pub fn print(image: &Image, upper: &OwnedFd) -> Result<()> {
    for (kind, path) in list(image, upper)? {
        step00::epilogue(&format!("{kind} {}", path.display()));
    }
    Ok(())
}

fn list(image: &Image, upper: &OwnedFd) -> Result<Vec<(char, PathBuf)>> {
    // The folder is mounted nowhere any more; the descriptor is a way in.
    let upper = PathBuf::from(format!("/proc/self/fd/{}", upper.as_raw_fd()));
    let mut changes = Vec::new();
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        let real = upper.join(below(&folder));
        let entries = fs::read_dir(&real)
            .with_context(|| format!("list what changed in {folder:?}"))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata()?;
            let is_whiteout =
                metadata.file_type().is_char_device() && metadata.rdev() == 0;
            let kind = match is_whiteout {
                true => 'D',
                false if is_below(image, &path) => 'C',
                false => 'A',
            };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            changes.push((kind, path));
        }
        if is_opaque(&real) {
            changes.extend(hidden_by(image, &folder, &real));
        }
    }
    changes.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(changes)
}

/// Does a lower layer have this name?
fn is_below(image: &Image, path: &Path) -> bool {
    let is_own = image.own_files.iter().any(|(own, _)| own.starts_with(path));
    let mut layers = image.layers.iter().map(|layer| &layer.path);
    is_own || layers.any(|l| l.join(below(path)).symlink_metadata().is_ok())
}

/// A folder that was deleted and made again is marked "opaque": nothing of the
/// lower ones shows through.
fn is_opaque(folder: &Path) -> bool {
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else {
        return false;
    };
    [c"trusted.overlay.opaque", c"user.overlay.opaque"].iter().any(|name| {
        let mut value = [0u8; 1];
        // SAFETY: both strings end in a zero byte, and the kernel writes one
        // byte at most, into the one that is there.
        let length = unsafe {
            libc::lgetxattr(
                path.as_ptr(),
                name.as_ptr(),
                value.as_mut_ptr().cast(),
                value.len(),
            )
        };
        length == 1 && value == *b"y"
    })
}

fn hidden_by(
    image: &Image,
    folder: &Path,
    upper: &Path,
) -> Vec<(char, PathBuf)> {
    let mut names = Vec::new();
    for layer in &image.layers {
        let entries = fs::read_dir(layer.path.join(below(folder)));
        names.extend(entries.into_iter().flatten().flatten());
    }
    let mut hidden: Vec<_> = names
        .iter()
        .map(|entry| entry.file_name())
        .filter(|name| upper.join(name).symlink_metadata().is_err())
        .map(|name| ('D', folder.join(name)))
        .collect();
    hidden.sort();
    hidden.dedup();
    hidden
}

fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
