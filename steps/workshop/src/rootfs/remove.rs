//! Removes a directory tree, and nothing that lies outside it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use step00::Proc;

/// Removes `path` and all below it; a missing `path` is fine. Symbolic links
/// are removed, never followed.
///
/// # Errors
/// Something is mounted below it, or it belongs to somebody else; the message
/// names the command that helps.
pub fn remove(path: &Path) -> Result<()> {
    if let Some(mount) = mounted_below(path)? {
        bail!(
            "remove {}: something is mounted on {mount}, and its files would \
             go too; first: sudo umount {mount}",
            path.display()
        );
    }
    // The library walks by open directories (openat, O_NOFOLLOW), so nothing
    // that is swapped for a link meanwhile can lead it astray.
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            fs::remove_file(path)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path);
            fs::remove_dir_all(path)
        }
        removed => removed,
    };
    match removed {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let path = path.display();
            bail!(
                "remove {path}: {error}: some of it is not yours (a container \
                 ran in it as root?); this removes it:\n  \
                 sudo rm -r --one-file-system -- '{path}'"
            )
        }
        Err(error) => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
    }
}

/// An image may hold directories that their owner cannot write to; what is in
/// them can only be removed after a chmod. If that fails, the second attempt
/// to remove them shows it.
fn open_up(path: &Path) {
    let real = path.symlink_metadata().is_ok_and(|data| data.is_dir());
    if real && fs::set_permissions(path, Permissions::from_mode(0o700)).is_ok()
    {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            open_up(&entry.path());
        }
    }
}

/// The first mount point at or below `path`.
fn mounted_below(path: &Path) -> Result<Option<String>> {
    let Ok(path) = path.canonicalize() else { return Ok(None) };
    let mounts = Proc::own()
        .mounts()
        .context("look at what is mounted, to spare it")?;
    let mut points = mounts.iter().map(|mount| &mount.point);
    let below = points.find(|point| point.starts_with(&path));
    Ok(below.map(|point| point.display().to_string()))
}
