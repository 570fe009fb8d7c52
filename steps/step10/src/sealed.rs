//! A copy of this program that nobody can write to.
//!
//! The launcher and the container share a file: the program that this process
//! runs. A process inside that executes `/proc/self/exe`, or opens
//! /proc/PID/exe of a process that still runs the launcher's program, reaches
//! it past every mount namespace; and where root inside is the person who
//! built the program, it may write to it. The next `sudo step10` would run
//! what the container wrote (CVE-2019-5736). So the launcher runs from a copy
//! in memory which the kernel has sealed, as runc does since then.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::unistd::fexecve;
use step00::Advice;

/// Starts this program again from a sealed copy, unless it is one already.
///
/// The copy is in no folder; it finds its old path in its first argument.
/// Returns in the copy only.
///
/// # Errors
/// EACCES where /proc/sys/vm/memfd_noexec forbids it.
pub fn enter() -> Result<()> {
    let own = File::open("/proc/self/exe").context("open this program")?;
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // Only a file in memory has seals; for any other the kernel answers
    // EINVAL. A file on a tmpfs is in memory as well, but can be written to.
    let seals = fcntl(&own, FcntlArg::F_GET_SEALS).unwrap_or(0);
    if SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_WRITE) {
        return take_name(Path::new(&arguments[0]));
    }
    let path = std::env::current_exe().context("find this program")?;
    let copy = copy(own, &path).context("copy this program into memory")?;
    arguments[0] = path.into_os_string();
    let variables = std::env::vars_os().map(|(mut key, value)| {
        key.push("=");
        key.push(value);
        key
    });
    let text = |text: OsString| CString::new(text.into_vec());
    let arguments: Vec<_> =
        arguments.into_iter().map(text).collect::<Result<_, _>>()?;
    let variables: Vec<_> = variables.map(text).collect::<Result<_, _>>()?;
    let Err(errno) = fexecve(&copy, &arguments, &variables);
    Err(errno)
        .context("execute a sealed copy of this program")
        .advice("is /proc/sys/vm/memfd_noexec 2? It must be 0 or 1")
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
