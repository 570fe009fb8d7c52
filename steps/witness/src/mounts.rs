//! The mounts that a process has, as the kernel lists them.

use std::fmt::Display;
use std::fs;

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The number of the device that the filesystem is on, as `254:0`.
    pub device: String,
    /// Which folder of that filesystem is shown.
    pub root: String,
    /// Where it is shown.
    pub point: String,
    /// The flags of the mount, as `ro` and `nosuid`.
    pub flags: Vec<String>,
    /// Which mounts in other namespaces learn of what is mounted below this
    /// one, or the reverse: `shared:1`, `master:1`, or nothing (private).
    pub propagation: String,
    /// The type of the filesystem.
    pub kind: String,
    /// The options of the filesystem, as `lowerdir=…`.
    pub options: Vec<String>,
}

/// The mounts that a process has.
///
/// # Panics
/// When there is no such process.
pub fn mounts(pid: impl Display) -> Vec<Mount> {
    let path = format!("/proc/{pid}/mountinfo");
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(parse).collect()
}

/// The mount that a process has at `point`, if any.
pub fn mount_at(pid: impl Display, point: &str) -> Option<Mount> {
    // The last one covers those before it.
    mounts(pid).into_iter().rfind(|mount| mount.point == point)
}

fn parse(line: &str) -> Mount {
    let (mount, filesystem) = line.split_once(" - ").expect("a separator");
    let mount: Vec<_> = mount.split(' ').map(String::from).collect();
    let filesystem: Vec<_> = filesystem.split(' ').collect();
    let list = |text: &str| text.split(',').map(String::from).collect();
    Mount {
        device: mount[2].clone(),
        root: mount[3].clone(),
        point: mount[4].clone(),
        flags: list(&mount[5]),
        propagation: mount[6..].join(" "),
        kind: filesystem[0].into(),
        options: list(filesystem[2]),
    }
}
