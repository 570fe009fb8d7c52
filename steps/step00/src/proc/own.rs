//! Files of /proc that are written to, or believed.
//!
//! What lies at the path `/proc/self/uid_map` need not be the kernel's file:
//! who may mount there can put another one in its place, be it a plain file
//! that keeps every word, or another file of /proc that does something else
//! (CVE-2025-52881). So before it is opened, /proc is asked for what it is,
//! and on the way from there nothing may be mounted.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::stat::fstat;

/// The top folder of every proc filesystem (PROC_ROOT_INO, <linux/proc_ns.h>):
/// no other file of it has this number.
const TOP: u64 = 1;

/// Opens `/proc/PATH` where that is the kernel's own file.
///
/// # Errors
/// When /proc is something else; EXDEV when something is mounted on the way,
/// ELOOP for a magic link, and as for open(2).
pub fn open(path: &Path, flags: OFlag) -> Result<File> {
    let proc = top("/proc".as_ref())?;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_XDEV
            | ResolveFlag::RESOLVE_NO_MAGICLINKS,
    );
    openat2(&proc, path, how)
        .map(File::from)
        .with_context(|| format!("open /proc/{}", path.display()))
}

/// Reads `/proc/PATH` whole.
///
/// # Errors
/// As for [`open`].
pub fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    open(path, OFlag::O_RDONLY)?
        .read_to_string(&mut text)
        .with_context(|| format!("read /proc/{}", path.display()))?;
    Ok(text)
}

/// Writes `/proc/PATH` in one piece, as most files of /proc want it.
///
/// # Errors
/// As for [`open`], and what the kernel says to the text.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = open(path, OFlag::O_WRONLY)?;
    file.write_all(text.as_bytes()).with_context(|| {
        format!("write {:?} to /proc/{}", text.trim_end(), path.display())
    })
}

/// What lies there is not opened before it is known (O_PATH): to open a pipe
/// is to wait for somebody.
fn top(place: &Path) -> Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let mut options = fs::File::options();
    let proc = options.read(true).custom_flags(flags).open(place);
    let proc = OwnedFd::from(proc.context("open /proc")?);
    let look = "look at what /proc is";
    let kind = fstatfs(&proc).context(look)?.filesystem_type();
    let inode = fstat(&proc).context(look)?.st_ino;
    let is_proc = kind == PROC_SUPER_MAGIC && inode == TOP;
    ensure!(is_proc, "trust /proc: it is not the kernel's own");
    Ok(proc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn the_kernels_file_is_opened_and_no_other() {
        let own = read(Path::new("self/status")).unwrap();
        assert!(own.starts_with("Name:"), "{own}");
        let thread = read(Path::new("thread-self/comm")).unwrap();
        assert!(!thread.is_empty(), "a link that is not magic is followed");
        for (path, errno) in [
            ("self/root/etc/passwd", Errno::ELOOP),
            ("self/cwd", Errno::ELOOP),
            ("../etc/passwd", Errno::EXDEV),
        ] {
            let error = open(Path::new(path), OFlag::O_RDONLY);
            let error = error.expect_err(path);
            assert_eq!(error.to_string(), format!("open /proc/{path}"));
            assert_eq!(error.downcast_ref(), Some(&errno), "{path}");
        }
    }

    #[test]
    fn proc_is_the_kernels_own_folder_and_neither_a_link_nor_a_pipe() {
        let folder = witness::Folder::new();
        let [link, pipe] = ["link", "pipe"].map(|name| folder.join(name));
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        witness::within("a look at what is there", || {
            for place in [&link, &pipe, folder.path(), "/proc/sys".as_ref()] {
                assert!(top(place).is_err(), "{}", place.display());
            }
            assert!(top("/proc".as_ref()).is_ok(), "the control");
        });
    }

    #[test]
    fn what_is_written_arrives_and_the_descriptor_stays_here() {
        let comm = Path::new("thread-self/comm");
        write(comm, "another").unwrap();
        assert_eq!(read(comm).unwrap(), "another\n");
        let file = open(comm, OFlag::O_RDONLY).unwrap();
        let flags = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETFD);
        assert_eq!(flags, Ok(libc::FD_CLOEXEC));
        let error = write(Path::new("version"), "x").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("/proc/version"), "{error}");
    }
}
