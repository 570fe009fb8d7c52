//! What step11 and step12 have recorded of containers that have ended.
//!
//! Each is a folder with a file `lock`. The launcher of step11 holds it while
//! it lives (steps/step11/src/record.rs); of step12 each command does, and its
//! state says more (`bundles`). What is running is left alone.
//!
//! The folder of them all may lie in /tmp, where anybody can make it first, or
//! a link in its place. So it is opened once, without following a link, and
//! what was opened must be ours; everything else happens below that
//! descriptor, and a lock is only looked for, never made.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use step00::stat::fstat;

use crate::bundles;
use crate::rootfs::remove::remove_at;
use crate::text::{printable, tell};

/// Those of the machine's root, for root alone. (A test has its own folder.)
fn roots() -> [PathBuf; 2] {
    let folder = std::env::var_os("WORKSHOP_RUN");
    let folder = folder.map_or_else(|| "/run/workshop".into(), PathBuf::from);
    [folder.with_file_name(bundles::NAME), folder]
}

/// Those of the caller. A name that is not absolute does not count (XDG Base
/// Directory Specification, "Basics").
fn own() -> Vec<PathBuf> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    match folder.filter(|folder| folder.is_absolute()) {
        Some(folder) => {
            vec![folder.join("workshop"), folder.join(bundles::NAME)]
        }
        None => vec![format!("/tmp/workshop-{}", geteuid()).into()],
    }
}

/// Removes them, and returns where they were.
///
/// # Errors
/// There is no sudo, or it refuses.
pub fn ended() -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for roots in roots().iter().filter(|roots| roots.is_dir()) {
        gone.extend(match geteuid().is_root() {
            true => forget(roots)?,
            false => forget_as_root(roots)?,
        });
    }
    for own in own() {
        if own.symlink_metadata().is_err() {
            continue;
        }
        // Somebody else's, in /tmp: none of our business, and no obstacle.
        match forget(&own) {
            Ok(names) => gone.extend(names),
            Err(error) => tell(format_args!("left alone: {error:#}")),
        }
    }
    Ok(gone)
}

/// Removes what has ended below `base`, and `base` if nothing is left in it.
///
/// # Errors
/// `base` is a link (`ELOOP`, `ENOTDIR`) or somebody else's.
pub fn forget(base: &Path) -> Result<Vec<String>> {
    let shown = printable(base);
    let flags = OFlag::O_RDONLY
        | OFlag::O_DIRECTORY
        | OFlag::O_NOFOLLOW
        | OFlag::O_CLOEXEC;
    let folder = open(base, flags, Mode::empty())
        .with_context(|| format!("look into {shown}"))?;
    let owner = fstat(&folder).context("look at its owner")?.st_uid;
    let user = geteuid();
    ensure!(
        owner == user.as_raw(),
        "look into {shown}: it belongs to uid {owner}, not to {user}"
    );
    let is_over: fn(&OwnedFd) -> Result<bool> =
        match base.file_name() == Some(OsStr::new(bundles::NAME)) {
            true => bundles::put_away,
            false => |_| Ok(true),
        };
    // What step11 takes to add one, or to remove one (folder.rs there).
    let folder = exclusively(folder)
        .with_context(|| format!("look into {shown}: who holds it?"))?;
    let mut gone = Vec::new();
    let list = format!("/proc/self/fd/{}", folder.as_raw_fd());
    for entry in fs::read_dir(&list).context("list it")?.flatten() {
        let name = entry.file_name();
        let path = format!("{shown}/{}", printable(&name));
        match forget_one(&folder, &name, is_over) {
            Ok(true) => gone.push(path),
            Ok(false) => {}
            Err(error) => tell(format_args!("remove {path}: {error:#}")),
        }
    }
    // Not empty: containers run. Not there: the last one was quicker.
    let _ = fs::remove_dir(base);
    Ok(gone)
}

/// Takes the lock of a folder, or gives up after two seconds: whoever can open
/// a folder can lock it, and need never let go.
fn exclusively(mut folder: OwnedFd) -> Result<Flock<OwnedFd>> {
    for _ in 0..20 {
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(held),
            Err((back, Errno::EWOULDBLOCK)) => folder = back,
            Err((_, error)) => return Err(error).context("lock it"),
        }
        sleep(Duration::from_millis(100));
    }
    bail!("it is locked: try again when nothing starts or ends")
}

/// True when it is gone, false when its launcher lives, it is not over, or it
/// is no record.
fn forget_one(
    base: &OwnedFd,
    name: &OsStr,
    is_over: fn(&OwnedFd) -> Result<bool>,
) -> Result<bool> {
    let flags = OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let as_folder = flags | OFlag::O_PATH | OFlag::O_DIRECTORY;
    let folder = match openat(base, name, as_folder, Mode::empty()) {
        // A file, or a link that leads elsewhere: not step11's.
        Err(Errno::ENOTDIR | Errno::ELOOP | Errno::ENOENT) => {
            return Ok(false);
        }
        folder => folder.context("open it")?,
    };
    // O_NONBLOCK: a fifo of this name must not make us wait.
    let as_file = flags | OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    let lock = match openat(&folder, "lock", as_file, Mode::empty()) {
        // Its launcher was killed before it had one: nothing is in it.
        Err(Errno::ENOENT) => {
            let gone = unlinkat(base, name, UnlinkatFlags::RemoveDir);
            return Ok(gone.is_ok());
        }
        Err(Errno::ELOOP) => return Ok(false),
        lock => lock.context("open its lock")?,
    };
    match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => Ok(false),
        Err((_, error)) => Err(error).context("lock it"),
        Ok(_held) => {
            let is_over = is_over(&folder)?;
            if is_over {
                remove_at(base, name)?;
            }
            Ok(is_over)
        }
    }
}

/// The same, by this program, as root.
fn forget_as_root(base: &Path) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("find this program")?;
    let line = format!("workshop forget {}", printable(base));
    let why = "what the rungs have on record there belongs to root";
    tell(format_args!("{why}: sudo {line}"));
    let mut sudo = Command::new("sudo");
    sudo.arg("--").arg(program).arg("forget").arg(base);
    let output = sudo.output().context("run sudo")?;
    if !output.status.success() {
        bail!("sudo {line}: {}", output.status);
    }
    let gone = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(gone.lines().map(str::to_owned).collect())
}
