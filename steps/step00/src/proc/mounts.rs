//! What a process sees mounted, and which of these mounts is its root.
//!
//! Mounts on one point lie on top of each other, and mountinfo lists them all.
//! Neither the first line with a `/` nor the last is the process's root: that
//! is whichever mount its root directory is in. It need not be on top either.
//! pivot_root(2) puts the old root *over* the new one, and moves the process's
//! root directory below it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::iter::successors;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number, which no other mount of the machine has.
    pub id: u64,
    /// The number of the mount that it lies on.
    pub parent: u64,
    /// Which folder of the filesystem is shown.
    pub root: PathBuf,
    /// Where it is shown, from the process's root.
    pub point: PathBuf,
    /// The flags of this mount, as `ro` and `nosuid`.
    pub options: Vec<String>,
    /// Mount events go to other namespaces, or come from them: `shared:1`,
    /// `master:1`; none where it is private.
    pub propagation: Vec<String>,
    /// The type of the filesystem.
    pub kind: String,
    /// What is mounted: a device, or any word.
    pub source: String,
    /// The options of the filesystem, as `lowerdir=…`.
    pub super_options: Vec<String>,
}

/// All that a process sees mounted. What lies outside its root directory has
/// no line.
#[derive(Debug, Clone, Default)]
pub struct Mounts {
    lines: Vec<Mount>,
    root: Option<u64>,
}

impl Mounts {
    /// Reads the lines; `root` is the number of the mount that the process's
    /// root directory is in, if that is known.
    pub fn parse(table: &[u8], root: Option<u64>) -> Mounts {
        let lines = table.split(|&byte| byte == b'\n');
        let lines: Vec<Mount> = lines.filter_map(Mount::parse).collect();
        let root = root.or_else(|| Some(lowest(&lines)?.id));
        Mounts { lines, root }
    }

    /// The mount whose top folder is the process's root directory. `None`
    /// after a chroot(2) to some folder *in* a mount.
    pub fn root(&self) -> Option<&Mount> {
        self.iter().find(|mount| Some(mount.id) == self.root)
    }

    /// The mount that the process finds at `point`, if one is there.
    pub fn at(&self, point: impl AsRef<Path>) -> Option<&Mount> {
        let mount = self.under(point.as_ref())?;
        (mount.point == point.as_ref()).then_some(mount)
    }

    /// The mount that a path without links leads into.
    ///
    /// As the kernel walks it: from the root mount, one component after the
    /// other; where something is mounted, on to that, and to what lies on top
    /// of it. Whatever is not on this way is covered by something else.
    pub fn under(&self, path: impl AsRef<Path>) -> Option<&Mount> {
        let mut way: Vec<&Path> = path.as_ref().ancestors().collect();
        way.pop(); // The root directory itself: no path walks *to* that.
        let mut id = self.root?;
        for step in way.into_iter().rev() {
            let over = |id: &u64| {
                let on_it = |m: &&Mount| m.parent == *id && m.point == step;
                self.iter().find(on_it).map(|mount| mount.id)
            };
            // The table is not read at one go, and might have a circle in it.
            let stack = successors(Some(id), over).take(self.len() + 1);
            id = stack.last()?;
        }
        self.iter().find(|mount| mount.id == id)
    }
}

impl Deref for Mounts {
    type Target = [Mount];

    fn deref(&self) -> &[Mount] {
        &self.lines
    }
}

/// For a process whose root directory may not be looked at: of the mounts on
/// `/`, the one that lies on none of the others. If the root were another one,
/// this mount would lie outside the root directory and have no line.
fn lowest(lines: &[Mount]) -> Option<&Mount> {
    let is_root = |mount: &&Mount| mount.point == Path::new("/");
    let roots: Vec<&Mount> = lines.iter().filter(is_root).collect();
    let lies_on_one = |mount: &Mount| {
        roots.iter().any(|m| m.id == mount.parent && m.id != mount.id)
    };
    roots.iter().copied().find(|mount| !lies_on_one(mount))
}

/// The number of the mount that a folder is in, from the kernel's own notes
/// about an open file (proc_pid_fdinfo(5), `mnt_id`).
///
/// # Errors
/// EACCES for `/proc/PID/root` of another user's process.
pub(crate) fn id_of(folder: &Path) -> Result<u64> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(folder)
        .with_context(|| format!("open {}", folder.display()))?;
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let notes =
        fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let id = notes.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.and_then(|id| id.trim().parse().ok()).context("find its mount")
}

impl Mount {
    /// `ID PARENT DEVICE ROOT POINT OPTIONS PROPAGATION… - KIND SOURCE SUPER`,
    /// where there may be any number of words of propagation, none as well.
    fn parse(line: &[u8]) -> Option<Mount> {
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let end = words.iter().position(|word| *word == b"-")?;
        let (mount, filesystem) = (&words[..end], &words[end + 1..]);
        let number = |word: &[u8]| text(word).parse().ok();
        Some(Mount {
            id: number(mount.first()?)?,
            parent: number(mount.get(1)?)?,
            root: path(mount.get(3)?),
            point: path(mount.get(4)?),
            options: list(mount.get(5)?),
            propagation: mount.get(6..)?.iter().map(|w| text(w)).collect(),
            kind: text(filesystem.first()?),
            source: text(filesystem.get(1)?),
            super_options: list(filesystem.get(2)?),
        })
    }

    /// Is it read-only, whatever its filesystem is?
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// The value of an option of the filesystem: of `lowerdir=a:b` it is
    /// `a:b`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut pairs =
            self.super_options.iter().filter_map(|o| o.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Undoes the kernel's escapes. What would end a field (a blank, a tab, a new
/// line, in options a comma) and the backslash itself it writes as three octal
/// digits: `\040` is a blank.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[4..] } else { tail };
    }
    bytes
}

/// A path may be any bytes.
fn path(word: &[u8]) -> PathBuf {
    OsString::from_vec(unescape(word)).into()
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(word)).into_owned()
}

fn list(word: &[u8]) -> Vec<String> {
    word.split(|&byte| byte == b',').map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left after a pivot_root(2) without umount2(2): the old root, 22,
    /// has come to lie on the new one, 90.
    const STACKED: &[u8] = b"\
22 90 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 22 0:20 / /proc rw,nosuid - proc old rw
90 1 0:55 / / ro,nosuid - overlay overlay rw,lowerdir=a:b,upperdir=c\\054d
91 90 0:56 / /proc rw,nosuid - proc new rw
92 91 0:57 / /proc ro - proc cover rw
";

    #[test]
    fn a_line_is_taken_apart() {
        let line = b"36 35 98:0 /a\\040b /c\\134d\\012 rw,noatime shared:1 \
                     master:2 - ext3 /dev/\\303\\244 rw,errors=continue";
        let mount = Mount::parse(line).expect("a mount");
        assert_eq!((mount.id, mount.parent), (36, 35));
        assert_eq!(mount.root, Path::new("/a b"));
        assert_eq!(mount.point, Path::new("/c\\d\n"));
        assert_eq!(mount.options, ["rw", "noatime"]);
        assert_eq!(mount.propagation, ["shared:1", "master:2"]);
        assert_eq!((&*mount.kind, &*mount.source), ("ext3", "/dev/ä"));
        assert_eq!(mount.value("errors"), Some("continue"));
        assert_eq!(mount.value("rw"), None, "control: an option alone");
        assert_eq!(Mount::parse(b"36 35 98:0 / / rw"), None, "no filesystem");
    }

    #[test]
    fn no_mount_is_lost_for_its_bytes() {
        let line = b"36 35 98:0 / /\xFF\\777 rw - tmpfs tmpfs rw";
        let point = Mount::parse(line).expect("a mount").point;
        let bytes = point.into_os_string().into_vec();
        assert_eq!(bytes, b"/\xFF\\777", "777 is no byte, and no escape");
    }

    #[test]
    fn the_root_is_what_the_kernel_says() {
        let kind = |root| {
            let mounts = Mounts::parse(STACKED, root);
            mounts.root().map(|mount| mount.kind.clone())
        };
        assert_eq!(kind(Some(90)).as_deref(), Some("overlay"));
        assert_eq!(kind(Some(22)).as_deref(), Some("ext4"), "control");
        assert_eq!(kind(Some(7)), None, "a folder in a mount");
        // Where it may not be asked.
        assert_eq!(kind(None).as_deref(), Some("overlay"));
        let mounts = Mounts::parse(STACKED, None);
        assert_eq!(mounts[0].kind, "ext4", "control: the first line");
        let root = mounts.root().expect("a root");
        assert!(root.is_read_only());
        assert_eq!(root.value("lowerdir"), Some("a:b"));
        assert_eq!(root.value("upperdir"), Some("c,d"));
    }

    #[test]
    fn a_point_has_the_mount_that_a_path_leads_to() {
        let source = |root, point: &str| {
            let mounts = Mounts::parse(STACKED, Some(root));
            mounts.at(point).map(|mount| mount.source.clone())
        };
        assert_eq!(source(90, "/").as_deref(), Some("overlay"));
        assert_eq!(source(90, "/proc").as_deref(), Some("cover"), "on top");
        assert_eq!(source(22, "/proc").as_deref(), Some("old"), "control");
        assert_eq!(source(90, "/proc/1"), None, "nothing is mounted there");
        assert_eq!(source(90, "/sys"), None);
        let mounts = Mounts::parse(STACKED, Some(90));
        let under = |path| mounts.under(path).map(|m| m.source.as_str());
        assert_eq!(under("/proc/1/comm"), Some("cover"));
        assert_eq!(under("/process"), Some("overlay"), "control");
    }

    #[test]
    fn one_line_is_enough_and_a_circle_is_no_trap() {
        let one = Mounts::parse(b"7 1 0:1 / / rw - tmpfs one rw\n", Some(7));
        let found = one.under("/x").map(|mount| mount.source.as_str());
        assert_eq!(found, Some("one"));
        let circle = b"7 1 0:1 / / rw - tmpfs one rw
8 7 0:2 / /x rw - tmpfs two rw
7 8 0:1 / /x rw - tmpfs three rw
";
        let circle = Mounts::parse(circle, Some(7));
        assert!(circle.at("/x").is_some() || circle.under("/x").is_some());
    }

    #[test]
    fn our_own_root_is_found() {
        let own = crate::Proc::own();
        let mounts = own.mounts().expect("our mounts");
        // Not so after a chroot(2) in a mount, where both have none.
        let asked = id_of(Path::new("/")).expect("the mount of /");
        let found = mounts.root().map(|mount| mount.id);
        assert_eq!(found.unwrap_or(asked), asked);
        assert_eq!(mounts.at("/"), mounts.root());
        assert!(id_of(Path::new("/nothing")).is_err(), "control");
    }
}
