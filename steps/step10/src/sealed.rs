//! This program, in a place where nobody can write to it.
//!
//! The launcher and the container share a file: the program that this process
//! runs. A process inside that executes `/proc/self/exe`, or opens
//! /proc/PID/exe of a process that still runs the launcher's program, reaches
//! it past every mount namespace; and where root inside is the person who
//! built the program, it may write to it. The next `sudo step10` would run
//! what the container wrote (CVE-2019-5736).
//!
//! Such a magic link leads to the file *on the mount* that it was executed
//! from, and whoever opens it for writing there asks that mount (EROFS). So
//! the launcher starts once more, from a read-only mount of its program that
//! is its own. Where it may not mount (without root), it starts from a copy in
//! memory that the kernel has sealed. runc has done both.

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use libc::{EACCES, EINVAL, ENOSYS, EPERM};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::fexecve;
use step00::Advice;
use step03::rootfs;
use step03::tree::{self, Attributes, Tree};

/// Starts this program again where nobody can write to it, unless that is done.
///
/// There it is in no folder; it finds its old path in its first argument.
/// Returns only there.
///
/// # Errors
/// EACCES where a mount cannot be had, and /proc/sys/vm/memfd_noexec forbids a
/// copy.
pub fn enter() -> Result<()> {
    let own = File::open("/proc/self/exe").context("open this program")?;
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if is_apart(&own)? || is_sealed(&own) {
        return take_name(Path::new(&arguments[0]));
    }
    let path = std::env::current_exe().context("find this program")?;
    arguments[0] = path.clone().into_os_string();
    let variables = std::env::vars_os().map(|(mut key, value)| {
        key.push("=");
        key.push(value);
        key
    });
    let text = |text: OsString| CString::new(text.into_vec());
    let arguments: Vec<_> =
        arguments.into_iter().map(text).collect::<Result<_, _>>()?;
    let variables: Vec<_> = variables.map(text).collect::<Result<_, _>>()?;
    match mount(&own, &path) {
        Ok(mount) => {
            let Err(errno) = fexecve(mount.hold()?, &arguments, &variables);
            Err(errno).context("execute this program from a mount of its own")
        }
        Err(error) if is_refused(&error) => {
            let copy = copy(own, &path);
            let copy = copy.context("copy this program into memory")?;
            let Err(errno) = fexecve(&copy, &arguments, &variables);
            Err(errno)
                .context("execute a sealed copy of this program")
                .advice("is /proc/sys/vm/memfd_noexec 2? It must be 0 or 1")
        }
        Err(error) => Err(error),
    }
}

/// A read-only mount of this program alone, attached to nothing.
///
/// With execve(2) its descriptor is closed, and from then on it belongs to no
/// mount namespace: it can be neither changed nor copied any more (EINVAL, also
/// for root), and lasts as long as a process that executes from it. Nor does
/// it keep the disk's own mount busy. That can be unmounted; the filesystem is
/// let go when the last launcher has ended.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over the mount that the program is on, EINVAL
/// where that one is unbindable, ENOSYS before Linux 5.12.
fn mount(own: &File, path: &Path) -> Result<Tree> {
    let mount = Tree::of(own.as_fd(), path)?;
    tree::change(mount.hold()?, Attributes::READ_ONLY)
        .context("make a mount of this program read-only")?;
    Ok(mount)
}

/// The caller may not clone a mount, this one cannot be cloned, or the kernel
/// does not know how to.
fn is_refused(error: &Error) -> bool {
    let errno = error.downcast_ref().and_then(io::Error::raw_os_error);
    matches!(errno, Some(EACCES | EPERM | EINVAL | ENOSYS))
}

/// Is this file on such a mount? A file that is in no folder is itself the top
/// of its mount, and that mount hangs nowhere.
fn is_apart(own: &File) -> Result<bool> {
    let link = format!("/proc/self/fd/{}", own.as_raw_fd());
    let path = fs::read_link(link).context("find this program")?;
    let flags = fstatvfs(own).context("look at this program")?.flags();
    Ok(rootfs::is_in_no_folder(&path) && flags.contains(FsFlags::ST_RDONLY))
}

/// Only a file in memory has seals; for any other the kernel answers EINVAL. A
/// file on a tmpfs is in memory as well, but can be written to.
fn is_sealed(own: &File) -> bool {
    let seals = fcntl(own, FcntlArg::F_GET_SEALS).unwrap_or(0);
    SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_WRITE)
}

/// The kernel names the process after the file that it executes, and here that
/// is the number of a descriptor.
fn take_name(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_owned();
    prctl::set_name(&CString::new(name.into_vec())?).context("set the name")
}

fn copy(mut own: File, path: &Path) -> Result<File> {
    let name = path.file_name().unwrap_or_default().to_owned();
    let name = CString::new(name.into_vec())?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // Since Linux 6.3 a file that is to be executed needs this flag; older
    // kernels do not know it.
    let to_execute = MFdFlags::from_bits_retain(libc::MFD_EXEC);
    let copy = memfd_create(name.as_c_str(), flags | to_execute).or_else(
        |errno| match errno {
            Errno::EINVAL => memfd_create(name.as_c_str(), flags),
            _ => Err(errno),
        },
    )?;
    let mut copy = File::from(copy);
    io::copy(&mut own, &mut copy)?;
    seal(&copy).context("seal it")?;
    Ok(copy)
}

/// From here on nobody can write to the file; and with the last of the seals
/// no other one can be taken off or added (F_ADD_SEALS(2const)).
///
/// # Errors
/// EBUSY as long as the kernel itself still has a page of it in hand, as it
/// may just after the copy: so it is asked again, for a second at most.
fn seal(copy: &File) -> nix::Result<()> {
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    for _ in 0..100 {
        match fcntl(copy, FcntlArg::F_ADD_SEALS(seals)) {
            Err(Errno::EBUSY) => thread::sleep(Duration::from_millis(10)),
            answer => return answer.map(drop),
        }
    }
    Err(Errno::EBUSY)
}
