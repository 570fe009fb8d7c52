//! How the program gets to the kernel: bpf(2).
//!
//! One call with a command and a structure of its own for each; the kernel
//! takes what is left out at its end for zero. All numbers are the same on
//! each architecture.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::program::Instruction;
use crate::cgroup::files::is;

// The commands (linux/bpf.h, enum bpf_cmd).
const LOAD: libc::c_long = 5; // BPF_PROG_LOAD
const ATTACH: libc::c_long = 8; // BPF_PROG_ATTACH
const DETACH: libc::c_long = 9; // BPF_PROG_DETACH
const OPEN_BY_ID: libc::c_long = 13; // BPF_PROG_GET_FD_BY_ID
const QUERY: libc::c_long = 16; // BPF_PROG_QUERY

/// The kind of program, and where it is attached.
const TYPE_CGROUP_DEVICE: u32 = 15; // BPF_PROG_TYPE_CGROUP_DEVICE
const AT_CGROUP_DEVICE: u32 = 6; // BPF_CGROUP_DEVICE

/// More programs than one: all of them must say yes.
const ALLOW_MULTI: u32 = 2; // BPF_F_ALLOW_MULTI

/// How many programs a group can have.
const MOST: usize = 64;

#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    program: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    group: u32,
    program: u32,
    at: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    group: u32,
    at: u32,
    flags: u32,
    attached_flags: u32,
    ids: u64,
    count: u32,
    unused: u32,
    // Linux 6.17 writes up to here, however long the structure is said to be.
    newer: [u64; 4],
}

/// Has the group obey this program, or none, in place of those that it has.
///
/// # Errors
/// EPERM without CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN; E2BIG for a
/// program of more than a million instructions.
pub(super) fn replace(
    group: &Path,
    program: Option<&[Instruction]>,
) -> Result<()> {
    let folder = File::open(group)
        .with_context(|| format!("open {}", group.display()))?;
    let old = attached(&folder).context("look for the group's programs")?;
    // First the new one, so that there is no moment without any.
    if let Some(program) = program {
        let program = load(program).context("load the program")?;
        attach(&folder, &program).context("attach the program")?;
    }
    for program in old {
        detach(&folder, &program).context("detach the old program")?;
    }
    Ok(())
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut load = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        program: program.as_ptr() as u64,
        // It calls no function of the kernel's, so any license will do.
        license: c"MIT".as_ptr() as u64,
        ..Load::default()
    };
    loop {
        // SAFETY: `program` is borrowed until the return, and `count` is its
        // length; the license is static, and there is no log to be written.
        match unsafe { bpf(LOAD, &mut load) } {
            // The check of a long program gives way to signals.
            Err(error) if is(&error, Errno::EAGAIN) => continue,
            // SAFETY: the kernel has just opened it, for us alone.
            fd => return Ok(unsafe { OwnedFd::from_raw_fd(fd?) }),
        }
    }
}

/// The programs of the group itself, without those of the groups above.
fn attached(folder: &File) -> io::Result<Vec<OwnedFd>> {
    let mut ids = [0u32; MOST];
    let mut query = Query {
        group: folder.as_raw_fd() as u32,
        at: AT_CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: MOST as u32,
        ..Query::default()
    };
    // SAFETY: `ids` has room for `count` numbers, and outlives the call.
    unsafe { bpf(QUERY, &mut query) }?;
    let ids = ids.iter().take(query.count as usize);
    let open = |&id: &u32| {
        // SAFETY: the command reads one number, and this is one.
        match unsafe { bpf(OPEN_BY_ID, &mut { id }) } {
            // A security module keeps another's program from us, or it has
            // gone meanwhile. It can only forbid more.
            Err(_) => None,
            // SAFETY: the kernel has just opened it, for us alone.
            Ok(fd) => Some(unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    };
    Ok(ids.filter_map(open).collect())
}

fn attach(folder: &File, program: &OwnedFd) -> io::Result<()> {
    let mut attach = Attach { flags: ALLOW_MULTI, ..names(folder, program) };
    // SAFETY: the structure holds numbers only.
    unsafe { bpf(ATTACH, &mut attach) }.map(drop)
}

fn detach(folder: &File, program: &OwnedFd) -> io::Result<()> {
    // SAFETY: the structure holds numbers only.
    unsafe { bpf(DETACH, &mut names(folder, program)) }.map(drop)
}

fn names(folder: &File, program: &OwnedFd) -> Attach {
    Attach {
        group: folder.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        at: AT_CGROUP_DEVICE,
        flags: 0,
    }
}

/// bpf(2). The answer is a descriptor or 0.
///
/// # Safety
/// `what` is the structure of this command, and the addresses in it are those
/// of memory that the kernel may read, or write, until the return.
unsafe fn bpf<T>(command: libc::c_long, what: &mut T) -> io::Result<RawFd> {
    let what: *mut T = what;
    // SAFETY: as the caller promises; the size is that of the structure.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, what, size_of::<T>()) };
    Ok(Errno::result(answer)? as RawFd)
}
