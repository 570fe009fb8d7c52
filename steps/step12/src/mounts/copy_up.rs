//! `tmpcopyup`: a tmpfs that begins with what it covers.
//!
//! What it covers is the image's, so no path in it is followed: each folder is
//! opened in the one above it, and no link is. Owners, modes and times stay as
//! they are; how much may be copied is for the tmpfs (`size=`) to say.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, ensure};
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fchmod, futimens, mkdirat, mknodat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, symlinkat};
use step00::stat::{FileStat, fstatat};

/// How many folders may lie in each other. Each one is two descriptors.
const DEEPEST: usize = 100;

/// A pipe or a device is looked at and not opened, but it can be exchanged in
/// between: then neither a writer is waited for nor a terminal taken.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_LARGEFILE)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

const FOLDER: OFlag = READ.union(OFlag::O_DIRECTORY);

/// Copies what is in the folder `from` into the folder `to`.
///
/// # Errors
/// With the name: ENOSPC when there is more than the tmpfs takes, and as for
/// open(2), mknod(2), write(2).
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let to = openat(to, ".", FOLDER, Mode::empty())?;
    copy_folder(openat(from, ".", FOLDER, Mode::empty())?, &to, 1)
}

fn copy_folder(from: OwnedFd, to: &OwnedFd, depth: usize) -> Result<()> {
    ensure!(depth <= DEEPEST, "more than {DEEPEST} folders in each other");
    let mut folder = Dir::from_fd(from.try_clone()?)?;
    for entry in folder.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            copy_one(&from, name, to, depth)
                .with_context(|| format!("copy {name:?}"))?;
        }
    }
    Ok(())
}

fn copy_one(
    from: &OwnedFd,
    name: &OsStr,
    to: &OwnedFd,
    depth: usize,
) -> Result<()> {
    let found = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let own = Mode::S_IRWXU;
    match found.st_mode & libc::S_IFMT {
        libc::S_IFDIR => {
            mkdirat(to, name, own)?;
            let made = openat(to, name, FOLDER, Mode::empty())?;
            let folder = openat(from, name, FOLDER, Mode::empty())?;
            copy_folder(folder, &made, depth + 1)?;
            finish(to, name, &made, &found)
        }
        libc::S_IFREG => {
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
            let flags = flags | OFlag::O_CLOEXEC | OFlag::O_LARGEFILE;
            let made = openat(to, name, flags, own)?;
            let mut file =
                File::from(openat(from, name, READ, Mode::empty())?);
            ensure!(file.metadata()?.is_file(), "it has been exchanged");
            let mut made = File::from(made);
            io::copy(&mut file, &mut made)?;
            finish(to, name, &made, &found)
        }
        libc::S_IFLNK => {
            symlinkat(&*readlinkat(from, name)?, to, name)?;
            give(to, name, &found)
        }
        kind => {
            let kind = SFlag::from_bits_truncate(kind);
            let mode = Mode::from_bits_truncate(found.st_mode & 0o7777);
            mknodat(to, name, kind, mode, found.st_rdev)?;
            give(to, name, &found)
        }
    }
}

fn give(folder: &OwnedFd, name: &OsStr, found: &FileStat) -> Result<()> {
    let (uid, gid) =
        (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
    let flag = AtFlags::AT_SYMLINK_NOFOLLOW;
    fchownat(folder, name, Some(uid), Some(gid), flag)
        .with_context(|| format!("give it to {uid}:{gid}"))
}

/// The mode after the owner: chown(2) takes a set-user-ID bit away.
fn finish(
    folder: &OwnedFd,
    name: &OsStr,
    made: impl AsFd,
    found: &FileStat,
) -> Result<()> {
    give(folder, name, found)?;
    fchmod(&made, Mode::from_bits_truncate(found.st_mode & 0o7777))?;
    let changed = TimeSpec::new(found.st_mtime, found.st_mtime_nsec);
    Ok(futimens(&made, &changed, &changed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use witness::Folder;

    /// As all tests of owners it needs root.
    #[test]
    fn everything_comes_along_as_it_is() {
        let (from, to) = (Folder::new(), Folder::new());
        fs::create_dir(from.join("deep")).expect("make a folder");
        fs::write(from.join("deep/file"), "text").expect("make a file");
        symlink("/etc/shadow", from.join("link")).expect("make a link");
        chown(from.join("deep/file"), Some(5), Some(6)).expect("give it");
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(from.join("deep/file"), mode(0o4711))
            .expect("set");
        fs::set_permissions(from.join("deep"), mode(0o1555)).expect("set");
        let open = |folder: &Folder| File::open(folder.path()).expect("open");
        copy(open(&from).as_fd(), open(&to).as_fd()).expect("copy");
        let look = |path: &str| to.join(path).symlink_metadata().expect(path);
        let file = look("deep/file");
        assert_eq!((file.uid(), file.gid()), (5, 6));
        assert_eq!(file.mode() & 0o7777, 0o4711);
        assert_eq!(look("deep").mode() & 0o7777, 0o1555);
        let text = fs::read_to_string(to.join("deep/file")).expect("read");
        assert_eq!(text, "text");
        assert!(look("link").is_symlink(), "and not what it leads to");
        let original = from.join("deep/file").metadata().expect("look");
        assert_eq!(file.mtime_nsec(), original.mtime_nsec());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let (from, to) = (Folder::new(), Folder::new());
        let deep = ["x"; DEEPEST].join("/");
        fs::create_dir_all(from.join(&deep)).expect("make folders");
        let open = |folder: &Folder| File::open(folder.path()).expect("open");
        let error = copy(open(&from).as_fd(), open(&to).as_fd());
        let error = error.expect_err("too deep");
        assert!(format!("{error:#}").contains("more than 100"), "{error:#}");
        fs::remove_dir(from.join(&deep)).expect("the control");
        let to = Folder::new();
        copy(open(&from).as_fd(), open(&to).as_fd()).expect("copy");
    }
}
