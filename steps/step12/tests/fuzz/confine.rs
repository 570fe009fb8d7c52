//! A place where a fault can be seen and do no harm: namespaces of its own,
//! and all of the machine's files read-only but one folder.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use libc::{
    AT_FDCWD, AT_RECURSIVE, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
    CLONE_NEWUTS, MS_BIND, c_int,
};
use nix::unistd::geteuid;
use step03::tree::MS_PRIVATE;

/// `struct mount_attr`: mount_setattr(2).
#[repr(C)]
#[derive(Default)]
struct Change {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const READ_ONLY: u64 = 1;

/// Has the command run in there, as far as the one who tests is root.
pub fn confine(command: &mut Command, folder: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let folder = CString::new(folder.as_os_str().as_bytes()).unwrap();
    let enter = move || enter(&folder);
    // SAFETY: the closure runs in a forked child and makes system calls only,
    // on memory that was allocated before.
    unsafe { command.pre_exec(enter) };
}

fn enter(folder: &CStr) -> io::Result<()> {
    let kinds = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    // SAFETY: numbers only.
    check(unsafe { libc::unshare(kinds) })?;
    let private = Change { propagation: MS_PRIVATE, ..Change::default() };
    all_below(c"/", &private)?;
    // SAFETY: two strings that end in zero; the other pointers may be null.
    check(unsafe {
        let (path, null) = (folder.as_ptr(), std::ptr::null());
        libc::mount(path, path, null, MS_BIND, null.cast())
    })?;
    let close = Change { set: READ_ONLY, ..Change::default() };
    all_below(c"/", &close)?;
    let open = || Change { clear: READ_ONLY, ..Change::default() };
    // Groups are made by files, and maps of users written to /proc.
    all_below(c"/proc", &open())?;
    all_below(c"/sys/fs/cgroup", &open())?;
    all_below(folder, &open())?;
    // What was the working directory is below the mount, not on it.
    // SAFETY: a string that ends in zero.
    check(unsafe { libc::chdir(folder.as_ptr()) })
}

fn all_below(path: &CStr, change: &Change) -> io::Result<()> {
    // SAFETY: a string that ends in zero, and a structure of the size that is
    // said, which the kernel only reads.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            AT_FDCWD,
            path.as_ptr(),
            AT_RECURSIVE,
            std::ptr::from_ref(change),
            size_of::<Change>(),
        ) as c_int
    })
}

fn check(answer: c_int) -> io::Result<()> {
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
