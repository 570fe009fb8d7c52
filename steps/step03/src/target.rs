//! The place inside on which something is mounted, made where it is missing.
//!
//! The image may hold a symbolic link at any part of the path, to somewhere on
//! the machine, or to nothing at all. RESOLVE_IN_ROOT (openat2(2)) makes the
//! kernel follow it as if the new root were `/` already, so that nothing
//! outside can be covered. A link to nothing is followed here, step by step,
//! since what it names is to be made.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag, openat, readlinkat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, mkdirat};

use crate::open_within;

/// So many links may be on the way, as for the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// How far one walk has come.
enum Walk {
    /// To the place that was asked for.
    There(OwnedFd),
    /// To a link to nothing: this is the way behind it, to what is to be made.
    Link(PathBuf),
}

/// Opens `inside`, a path from `root` on, and makes what is missing of it:
/// folders, and last a folder or a file.
///
/// # Errors
/// ELOOP for links that lead to each other, ENOTDIR where a file is on the
/// way, and as for mkdir(2).
pub fn make(
    root: &impl AsFd,
    inside: &Path,
    is_folder: bool,
) -> nix::Result<OwnedFd> {
    let mut path = inside.to_owned();
    for _ in 0..=MOST_LINKS {
        match walk(root, &path, is_folder)? {
            Walk::There(target) => return Ok(target),
            Walk::Link(elsewhere) => path = elsewhere,
        }
    }
    Err(Errno::ELOOP)
}

/// Walks from the root, and makes each part that nothing stands for.
fn walk(root: &impl AsFd, path: &Path, is_folder: bool) -> nix::Result<Walk> {
    let names = path.components().filter(|name| *name != Component::RootDir);
    let names: Vec<Component<'_>> = names.collect();
    let mut known = open_in(root, Path::new("."))?;
    let mut way = PathBuf::new();
    for (index, name) in names.iter().enumerate() {
        let parent = way.clone();
        way.push(name);
        known = match open_in(root, &way) {
            Err(Errno::ENOENT) => {
                let rest = &names[index + 1..];
                if let Some(target) = link_at(&known, name.as_ref())? {
                    // From the link's own folder on, or from `/` if it is
                    // absolute: that is how Path::join understands it, too.
                    let behind = parent.join(target);
                    return Ok(Walk::Link(
                        rest.iter().fold(behind, |path, name| path.join(name)),
                    ));
                }
                match rest.is_empty() && !is_folder {
                    true => make_file(&known, name.as_ref())?,
                    false => make_folder(&known, name.as_ref())?,
                }
                open_in(root, &way)?
            }
            found => found?,
        };
    }
    Ok(Walk::There(known))
}

/// What the link of this name says, if there is one.
fn link_at(parent: &OwnedFd, name: &Path) -> nix::Result<Option<PathBuf>> {
    match readlinkat(parent, name) {
        Err(Errno::ENOENT) => Ok(None),
        link => link.map(|target| Some(target.into())),
    }
}

fn open_in(root: &impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    open_within(root, path, OFlag::O_PATH, ResolveFlag::empty())
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
