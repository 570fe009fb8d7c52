//! What the kernel says about a process, seen from outside.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

/// A file of its folder in /proc; nothing when it is gone.
#[must_use]
pub fn read(pid: i32, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A field of its `status` (proc_pid_status(5)), with single spaces.
#[must_use]
pub fn status(pid: i32, field: &str) -> String {
    let status = read(pid, "status");
    let mut fields = status.lines().filter_map(|l| l.split_once(':'));
    let value = fields.find(|(name, _)| *name == field);
    let words = value.map(|(_, value)| value.split_whitespace());
    words.map(|words| words.collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

/// The name that `ps` shows.
#[must_use]
pub fn name(pid: i32) -> String {
    read(pid, "comm").trim_end().to_owned()
}

/// The numbers of its children.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let children = read(pid, &format!("task/{pid}/children"));
    children.split_whitespace().filter_map(|c| c.parse().ok()).collect()
}

/// Where its open descriptors lead.
#[must_use]
pub fn descriptors(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let paths = entries.into_iter().flatten().flatten().map(|e| e.path());
    let targets = paths.filter_map(|path| fs::read_link(path).ok());
    targets.map(|target| target.display().to_string()).collect()
}

/// Is it in another namespace of this kind than we are?
#[must_use]
pub fn is_apart(pid: i32, kind: &str) -> bool {
    let link = |who: &str| fs::read_link(format!("/proc/{who}/ns/{kind}"));
    match (link(&pid.to_string()), link("self")) {
        (Ok(its), Ok(ours)) => its != ours,
        _ => false,
    }
}

/// A line of its mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// The flags of the mount, as `rw,nosuid`.
    pub flags: String,
    /// `shared:1` and the like, or nothing: private.
    pub propagation: String,
    /// The type of the filesystem.
    pub kind: String,
}

/// What a process sees mounted.
#[must_use]
pub fn mounts(who: &str) -> Vec<Mount> {
    let text = fs::read_to_string(format!("/proc/{who}/mountinfo"));
    let text = text.unwrap_or_default();
    let mount = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let words: Vec<&str> = front.split(' ').collect();
        Some(Mount {
            point: (*words.get(4)?).to_owned(),
            flags: (*words.get(5)?).to_owned(),
            propagation: words.get(6..)?.join(" "),
            kind: back.split(' ').next()?.to_owned(),
        })
    };
    text.lines().filter_map(mount).collect()
}

/// The mount that it has at `point`, the topmost one.
#[must_use]
pub fn mount_at(pid: i32, point: &str) -> Option<Mount> {
    let mounts = mounts(&pid.to_string());
    mounts.into_iter().rfind(|mount| mount.point == point)
}

/// Which file this is, however it is called: device and number.
///
/// # Errors
/// It is not there.
pub fn identity(path: impl AsRef<Path>) -> Result<(u64, u64)> {
    let path = path.as_ref();
    let found = fs::metadata(path);
    let found = found.with_context(|| format!("find {}", path.display()))?;
    Ok((found.dev(), found.ino()))
}

/// Does `look` in a namespace of the process's. Only a thread of its own goes
/// there, so that nobody has to come back.
///
/// # Errors
/// The process has ended, or root here does not own the namespace.
pub fn within<T: Send>(
    pid: i32,
    kind: &str,
    look: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let path = format!("/proc/{pid}/ns/{kind}");
    let enter_and_look = move || {
        let namespace = File::open(&path);
        let namespace = namespace.with_context(|| format!("open {path}"))?;
        if kind == "mnt" {
            // Threads share a root directory, which setns(2) changes.
            unshare(CloneFlags::CLONE_FS).context("have a root of our own")?;
        }
        setns(namespace, CloneFlags::empty())
            .with_context(|| format!("enter {path}"))?;
        look()
    };
    std::thread::scope(|scope| {
        let ended = scope.spawn(enter_and_look).join();
        ended.unwrap_or_else(|_| Err(anyhow!("stopped by a bug, see above")))
    })
}

/// Gives us mounts of our own, shared as systemd makes them: whatever the rung
/// lets out arrives here, where it is seen, and not on the machine.
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
