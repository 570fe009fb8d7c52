//! How a process is born in namespaces that are there already.
//!
//! clone3(2) makes new namespaces and joins none. The one who joins is a
//! helper: it joins the user namespace of the pod, and with it loses all of
//! root's powers outside; so this cannot be the launcher, which needs them
//! still. What the helper makes *then* is owned by the pod: the mount
//! namespace, the hostname. Its child is to be the launcher's (CLONE_PARENT),
//! and the helper ends. runc and crun have the same helper.

use std::fs::File;
use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, geteuid, pipe2};
use step00::{Failure, Proc, Process, process};

use super::members::Member;
use crate::enter;
use crate::exec::hide;

/// What the helper says: the number of its child, and the mount namespace.
type Answer = std::result::Result<(i32, String), String>;

/// Makes the process, and tells the mount namespace of the helper that has
/// made it. As fork(2), it returns twice: `None` in the new process.
///
/// `join` runs in the helper. It returns the namespaces that are still to be
/// made, CLONE_NEW*.
///
/// # Errors
/// EPERM when these namespaces are not ours to join, and as for clone(2).
pub fn make(
    join: impl FnOnce() -> Result<u64>,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Option<(Process, String)>> {
    let (reader, writer) =
        pipe2(OFlag::O_CLOEXEC).context("make a pipe to a helper")?;
    // clone(2) has no CLONE_INTO_CGROUP: the helper is born in the group, and
    // its child inherits that.
    match process::fork(0, cgroup).context("start a helper")? {
        Some(helper) => {
            drop(writer);
            let answer = read(reader);
            process::wait(&helper)?;
            answer.map(Some)
        }
        None => {
            drop(reader);
            help(join, &File::from(writer));
            Ok(None)
        }
    }
}

/// The helper: returns in its child only.
fn help(join: impl FnOnce() -> Result<u64>, to: &File) {
    let make = || -> Result<Option<(i32, String)>> {
        // Others may see its child; see `become_root`.
        hide()?;
        let flags = join()?;
        // Its child is hidden even from a launcher without root, and who has
        // the same files must be known; see `rest`.
        let files = Proc::own().namespace("mnt")?;
        Ok(sibling(flags)?.map(|pid| (pid, files)))
    };
    let made = make();
    let answer: Answer = match made {
        Ok(None) => return,
        Ok(Some(child)) => Ok(child),
        Err(error) => Err(Failure::from_error(&error).message),
    };
    let _ = serde_json::to_writer(to, &answer);
    // SAFETY: _exit takes no pointer, and runs no destructor of the
    // launcher's, of which this is a copy.
    unsafe { libc::_exit(0) }
}

// ANCHOR: helper
/// Joins the owner and what is shared, and makes a mount namespace there.
/// Returns what is still to be made.
pub(super) fn join(members: &[Member], flags: u64) -> Result<u64> {
    let user = CloneFlags::CLONE_NEWUSER;
    let join = |member: &Member, namespaces| {
        enter::join(&member.process, namespaces)
            .with_context(|| format!("join container:{}", member.name))
    };
    // The owner comes last where that means to lose powers, and first where it
    // means to get them.
    let (first, is_root) = (&members[0], geteuid().is_root());
    if !is_root {
        join(first, user)?;
    }
    for member in members.iter().filter(|it| !it.joins.is_empty()) {
        join(member, member.joins)?;
    }
    if is_root {
        join(first, user)?;
    }
    // Made here, so that it is known whose it is.
    unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
    Ok(flags & !(libc::CLONE_NEWNS as u64))
}

/// Makes a process that is the child of our parent: clone(2), CLONE_PARENT.
/// (clone3(2) would do; but the signal for the parent is inherited then, and
/// step00's `fork` names one, which clone3 answers with EINVAL.)
fn sibling(flags: u64) -> Result<Option<i32>> {
    let flags = flags | libc::CLONE_PARENT as u64;
    let (no_stack, unused) = (0, 0);
    // SAFETY: without CLONE_VM the child has a copy of this memory, and may go
    // on with the same stack; no pointer is passed.
    let answer = unsafe {
        libc::syscall(libc::SYS_clone, flags, no_stack, unused, unused, unused)
    };
    let pid = Errno::result(answer).context("make the process with clone")?;
    Ok((pid != 0).then_some(pid as i32))
}

// ANCHOR_END: helper

/// Outside: takes hold of the new process. It is our child, so its number is
/// not used again before we have waited for it.
fn read(reader: OwnedFd) -> Result<(Process, String)> {
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).context("hear the helper")?;
    let answer: Answer = serde_json::from_str(&text)
        .context("hear the helper, which was killed")?;
    let (pid, files) = answer.map_err(Error::msg)?;
    let start = Proc::of(Pid::from_raw(pid)).start_time()?;
    Ok((enter::open(pid, start)?, files))
}
