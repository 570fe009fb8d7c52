//! What the container has changed, read from its upper layer: `docker diff`.
//!
//! No file has to be compared: a name in `upper` was added or changed, and a
//! whiteout is a name that was deleted. What is below only decides between
//! added and changed. (A place that had to be made for a volume is in `upper`
//! as well.)

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use step00::Outcome;

use crate::Args;
use crate::image::Image;

/// After the end: prints the changes, if they were asked for.
///
/// # Errors
/// When the container has handed over no upper layer, or it cannot be read.
pub fn report(
    args: &Args,
    image: &Image,
    outcome: &mut Outcome,
) -> Result<()> {
    match args.changes {
        true => print(image, &outcome.take("upper")?),
        false => Ok(()),
    }
}

/// Prints a line on stderr for each name that was (A)dded, (C)hanged or
/// (D)eleted. `upper` is what the container handed over.
fn print(image: &Image, upper: &OwnedFd) -> Result<()> {
    for (kind, path) in list(image, upper)? {
        step00::epilogue(&format!("{kind} {}", printable(&path)));
    }
    Ok(())
}

/// A name that the container has chosen is not to speak to the terminal, nor
/// to look like a line of ours.
fn printable(path: &Path) -> String {
    let text = path.display().to_string();
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn list(image: &Image, upper: &OwnedFd) -> Result<Vec<(char, PathBuf)>> {
    // The folder is mounted nowhere any more; the descriptor is a way in.
    let upper = PathBuf::from(format!("/proc/self/fd/{}", upper.as_raw_fd()));
    let mut changes = Vec::new();
    // Each folder that is still to be listed, and whether one above it hides
    // all of the lower ones.
    let mut folders = vec![(PathBuf::from("/"), false)];
    while let Some((folder, is_hiding)) = folders.pop() {
        let real = upper.join(below(&folder));
        let is_hiding = is_hiding || is_opaque(&real);
        let entries = fs::read_dir(&real)
            .with_context(|| format!("list what changed in {folder:?}"))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata()?;
            let kind = match is_whiteout(&metadata) {
                true => 'D',
                false if is_below(image, &path) => 'C',
                false => 'A',
            };
            if metadata.is_dir() {
                folders.push((path.clone(), is_hiding));
            }
            changes.push((kind, path));
        }
        if is_hiding {
            let hidden =
                names_below(image, &folder).into_iter().filter(|path| {
                    upper.join(below(path)).symlink_metadata().is_err()
                });
            changes.extend(hidden.map(|path| ('D', path)));
        }
    }
    changes.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(changes)
}

/// What a name is in one layer alone.
enum Seen {
    /// Nothing: the layers below decide.
    Nothing,
    /// It is there.
    Shown,
    /// It is hidden, here and in all layers below.
    Gone,
}

/// Do the lower layers together show this name? The highest that knows it
/// decides.
fn is_below(image: &Image, path: &Path) -> bool {
    if image.own_files.iter().any(|(own, _)| own.starts_with(path)) {
        return true;
    }
    for layer in image.layers.iter().rev() {
        match look(&layer.path, path) {
            Seen::Nothing => {}
            Seen::Shown => return true,
            Seen::Gone => return false,
        }
    }
    false
}

/// All that the lower layers together show in a folder.
fn names_below(image: &Image, folder: &Path) -> BTreeSet<PathBuf> {
    let own = image.own_files.iter().filter_map(|(own, _)| {
        let name = own.strip_prefix(folder).ok()?.iter().next()?;
        Some(folder.join(name))
    });
    let listed = image.layers.iter().flat_map(|layer| {
        let entries = fs::read_dir(layer.path.join(below(folder)));
        entries.into_iter().flatten().flatten()
    });
    let listed = listed.map(|entry| folder.join(entry.file_name()));
    own.chain(listed).filter(|path| is_below(image, path)).collect()
}

/// Looks at each part of the path by itself: a link in a layer would lead
/// somewhere on the machine, and overlayfs does not follow it either.
fn look(layer: &Path, path: &Path) -> Seen {
    let mut here = layer.to_owned();
    let mut is_hiding = false;
    let mut names = below(path).iter().peekable();
    while let Some(name) = names.next() {
        is_hiding = is_hiding || is_opaque(&here);
        here.push(name);
        let is_last = names.peek().is_none();
        match here.symlink_metadata() {
            Err(_) if is_hiding => return Seen::Gone,
            Err(_) => return Seen::Nothing,
            Ok(found) if is_whiteout(&found) => return Seen::Gone,
            // A file hides the folders that have its name below.
            Ok(found) if !is_last && !found.is_dir() => return Seen::Gone,
            Ok(_) => {}
        }
    }
    Seen::Shown
}

// ANCHOR: whiteout
fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}
// ANCHOR_END: whiteout

/// A folder that was deleted and made again is marked "opaque": nothing of the
/// lower ones shows through, neither in it nor further down.
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

/// The path without its first slash, ready to be joined to a layer's.
fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
