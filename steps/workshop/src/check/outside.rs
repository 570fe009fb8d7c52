//! What the kernel says about a process, seen from outside.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::Pid;
use step00::Proc;
use step00::proc::{Mount, Mounts};

/// What the kernel says about it.
#[must_use]
pub fn proc(pid: i32) -> Proc {
    Proc::of(Pid::from_raw(pid))
}

/// A file of its folder in /proc; nothing when it is gone.
#[must_use]
pub fn read(pid: i32, file: &str) -> String {
    proc(pid).read(file).unwrap_or_default()
}

/// A field of its `status` (proc_pid_status(5)), with single spaces.
#[must_use]
pub fn status(pid: i32, field: &str) -> String {
    let value = proc(pid).status(field).unwrap_or_default();
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The name that `ps` shows.
#[must_use]
pub fn name(pid: i32) -> String {
    read(pid, "comm").trim_end().to_owned()
}

/// The numbers of its children.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let children = proc(pid).children().unwrap_or_default();
    children.into_iter().map(Pid::as_raw).collect()
}

/// How many processes there are in this PID namespace.
#[must_use]
pub fn processes() -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let is_number = |name: &OsString| {
        name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
    };
    names.filter(is_number).count()
}

/// Where its open descriptors lead.
#[must_use]
pub fn descriptors(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(proc(pid).path("fd"));
    let paths = entries.into_iter().flatten().flatten().map(|e| e.path());
    let targets = paths.filter_map(|path| fs::read_link(path).ok());
    targets.map(|target| target.display().to_string()).collect()
}

/// Is it in another namespace of this kind than we are?
#[must_use]
pub fn is_apart(pid: i32, kind: &str) -> bool {
    proc(pid).is_apart(kind).unwrap_or(false)
}

/// What it sees mounted; nothing when it is gone.
#[must_use]
pub fn mounts(proc: &Proc) -> Mounts {
    proc.mounts().unwrap_or_default()
}

/// The mount that it has at `point`.
#[must_use]
pub fn mount_at(pid: i32, point: &str) -> Option<Mount> {
    mounts(&proc(pid)).at(point).cloned()
}

/// Which file this is, whatever its name: device and inode.
///
/// # Errors
/// It is not there.
pub fn identity(path: impl AsRef<Path>) -> Result<(u64, u64)> {
    let path = path.as_ref();
    let found = fs::metadata(path);
    let found = found.with_context(|| format!("find {}", path.display()))?;
    Ok((found.dev(), found.ino()))
}

/// Calls `look` in one of the process's namespaces. A thread made for this
/// enters it, and so nothing has to come back.
///
/// # Errors
/// The process has ended, or root here does not own the namespace.
pub fn within<T: Send>(
    pid: i32,
    kind: &str,
    look: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let path = proc(pid).path("ns").join(kind);
    let enter_and_look = move || {
        let namespace = File::open(&path);
        let namespace =
            namespace.with_context(|| format!("open {}", path.display()))?;
        if kind == "mnt" {
            // Threads share a root directory, which setns(2) changes.
            unshare(CloneFlags::CLONE_FS).context("have a root of our own")?;
        }
        setns(namespace, CloneFlags::empty())
            .with_context(|| format!("enter {}", path.display()))?;
        look()
    };
    std::thread::scope(|scope| {
        let ended = scope.spawn(enter_and_look).join();
        ended.unwrap_or_else(|_| Err(anyhow!("stopped by a bug, see above")))
    })
}

/// Gives us mounts of our own, shared as systemd makes them: what the rung
/// lets out arrives here, where it shows, and not on the machine.
///
/// # Errors
/// EPERM: this is not root.
pub fn act_as_the_machine() -> Result<()> {
    let change = |flags: MsFlags| {
        let none = None::<&str>;
        mount(none, "/", none, flags | MsFlags::MS_REC, none)
    };
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| change(MsFlags::MS_PRIVATE))
        .and_then(|()| change(MsFlags::MS_SHARED))
        .context("have mounts of our own, to keep the machine's safe")
}
