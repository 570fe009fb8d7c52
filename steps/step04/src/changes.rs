//! What the container has changed, read from its upper layer: `docker diff`.
//!
//! No file has to be compared: a name in `upper` was added or changed, and a
//! whiteout is a name that was deleted. What is below only decides between
//! added and changed. (A place that had to be made for a volume is in `upper`
//! as well.)

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, ensure};
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::Mode;
use step00::Outcome;
use step00::stat::{fstat, fstatat};

use crate::Args;
use crate::image::Image;

/// After the end: prints the changes, if they were asked for. What cannot be
/// listed is said as well, and changes nothing: how the command has ended is
/// not for its files to decide.
pub fn report(args: &Args, image: &Image, outcome: &mut Outcome) {
    if !args.changes {
        return;
    }
    let printed = outcome.take("upper").and_then(|upper| print(image, upper));
    if let Err(error) = printed {
        step00::epilogue(&format!("cannot list the changes: {error:#}"));
    }
}

/// Prints a line on stderr for each name that was (A)dded, (C)hanged or
/// (D)eleted. `upper` is what the container handed over.
fn print(image: &Image, upper: OwnedFd) -> Result<()> {
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

/// A folder comes before what is in it, and that before its next neighbour:
/// as if the slash were the first of all letters.
fn in_order(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.map(|&byte| if byte == b'/' { 0 } else { byte }).collect()
}

/// A folder of `upper` on the way from its top to where we are.
struct Level {
    /// The folders in it that are still to be listed.
    folders: Vec<OsString>,
    /// Does it, or one above it, hide all of the lower ones?
    is_hiding: bool,
    /// What it is known by, on the way back.
    inode: u64,
}

/// Walks through `upper`, which is mounted nowhere any more, with one folder
/// open at a time: the container can make them as deep as it likes, deeper
/// than a path or the limit of descriptors reaches.
fn list(image: &Image, upper: OwnedFd) -> Result<Vec<(char, PathBuf)>> {
    let mut changes = Vec::new();
    let mut here = upper;
    let mut path = PathBuf::from("/");
    let mut way = vec![look_into(&here, &path, false, image, &mut changes)?];
    while let Some(level) = way.last_mut() {
        let Some(name) = level.folders.pop() else {
            way.pop();
            if let Some(above) = way.last() {
                here = openat(&here, "..", FOLDER, Mode::empty())?;
                let is_above = fstat(&here)?.st_ino == above.inode;
                ensure!(is_above, "find the way back from {path:?}");
                path.pop();
            }
            continue;
        };
        let is_hiding = level.is_hiding;
        path.push(&name);
        let opened = openat(&here, &*name, FOLDER, Mode::empty());
        let looked = opened.map_err(Error::from).and_then(|next| {
            let level =
                look_into(&next, &path, is_hiding, image, &mut changes)?;
            Ok((next, level))
        });
        match looked {
            Ok((next, level)) => {
                here = next;
                way.push(level);
            }
            // Without root: a folder that the container has closed.
            Err(error) => {
                let path_text = printable(&path);
                let text = format!("cannot look into {path_text}: {error:#}");
                step00::epilogue(&text);
                path.pop();
            }
        }
    }
    changes.sort_by_cached_key(|(_, path)| in_order(path));
    Ok(changes)
}

const FOLDER: OFlag =
    OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// What is in one folder of `upper`.
fn look_into(
    here: &OwnedFd,
    path: &Path,
    is_hiding: bool,
    image: &Image,
    changes: &mut Vec<(char, PathBuf)>,
) -> Result<Level> {
    let is_hiding = is_hiding || is_marked(here);
    let mut folders = Vec::new();
    let mut dir = Dir::openat(here, ".", FOLDER, Mode::empty())?;
    for entry in dir.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let found = fstatat(here, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let kind = found.st_mode & libc::S_IFMT;
        let path = path.join(name);
        let change = match kind == libc::S_IFCHR && found.st_rdev == 0 {
            true => 'D',
            false if is_below(image, &path) => 'C',
            false => 'A',
        };
        if kind == libc::S_IFDIR {
            folders.push(name.to_owned());
        }
        changes.push((change, path));
    }
    if is_hiding {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        let is_gone = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            fstatat(here, name, flags).is_err()
        };
        let hidden = names_below(image, path).into_iter().filter(is_gone);
        changes.extend(hidden.map(|path| ('D', path)));
    }
    Ok(Level { folders, is_hiding, inode: fstat(here)?.st_ino })
}

/// The same as [`is_opaque`], of a folder that is open.
fn is_marked(folder: &OwnedFd) -> bool {
    let own = format!("/proc/self/fd/{}/.", folder.as_raw_fd());
    is_opaque(Path::new(&own))
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
