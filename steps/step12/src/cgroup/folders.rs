//! The making of groups, and their removal.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};
use step07::place::{hand_on, let_all_enter};
use step07::{cgroup, events};

use super::files::{is, read, write};

/// For how long a group may be busy with processes that have been killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The groups that were made, which are removed again if it comes to nothing.
#[derive(Debug, Default)]
pub(crate) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a group, and those above it that are missing.
    ///
    /// # Errors
    /// EACCES or EROFS where groups are not ours to make.
    pub(crate) fn make(&mut self, group: &Path, is_v1: bool) -> Result<()> {
        let mut way: Vec<&Path> = group.ancestors().collect();
        way.retain(|folder| is_group(folder).unwrap_or(true));
        // From the top of the tree down.
        for (above, group) in way.iter().rev().zip(way.iter().rev().skip(1)) {
            // Beside v1 the tree of v2 holds processes, and limits nothing.
            if !is_v1 {
                hand_on_all(above);
            }
            self.make_one(group)?;
            if is_v1 {
                inherit_cpuset(above, group)?;
            }
        }
        Ok(())
    }

    fn make_one(&mut self, group: &Path) -> Result<()> {
        if group.is_dir() {
            return Ok(());
        }
        match cgroup::make(group) {
            // Another container's, just now.
            Err(_) if group.is_dir() => return Ok(()),
            made => made?,
        };
        self.0.push(group.to_owned());
        let_all_enter(group)
    }

    /// They stay.
    pub(crate) fn keep(mut self) {
        mem::take(&mut self.0);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for group in self.0.iter().rev() {
            let _ = fs::remove_dir(group);
        }
    }
}

/// Is this folder in a tree of groups? Nothing, where there is no folder.
fn is_group(folder: &Path) -> Option<bool> {
    let kind = statfs(folder).ok()?.filesystem_type();
    Some(kind == CGROUP_SUPER_MAGIC || kind == CGROUP2_SUPER_MAGIC)
}

/// In v2 a group has the files of a controller only if the one above hands it
/// on (step07). Which limits will be asked for later, by an update, nobody
/// knows, and an engine wants to read what is used: so all of them.
///
/// What cannot be handed on is no error yet: a limit that needs it will be.
fn hand_on_all(above: &Path) {
    let Ok(all) = read(above, "cgroup.controllers") else { return };
    let now = read(above, "cgroup.subtree_control").unwrap_or_default();
    let now: Vec<&str> = now.split(' ').collect();
    for controller in all.split(' ').filter(|name| !now.contains(name)) {
        let _ = hand_on(above, &[controller]);
    }
}

/// In v1 a new group has no CPU and no memory node, and nobody can enter it.
/// (Documentation/admin-guide/cgroup-v1/cpusets.rst.)
fn inherit_cpuset(above: &Path, group: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // Of another tree, or it has its own already.
        if read(group, file).map_or(true, |own| !own.is_empty()) {
            continue;
        }
        let theirs = read(above, file)?;
        write(group, file, &theirs).with_context(|| {
            format!("write {theirs:?} to {}", group.join(file).display())
        })?;
    }
    Ok(())
}

/// Removes a group and all below it.
///
/// # Errors
/// EBUSY when processes are still in it when the patience is at its end.
pub(crate) fn remove(group: &Path, is_v1: bool) -> Result<()> {
    let start = Instant::now();
    let mut wait = Duration::from_millis(1);
    loop {
        let error = match remove_all(group) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !is(&error, Errno::EBUSY) || start.elapsed() >= PATIENCE {
            return Err(error)
                .with_context(|| format!("remove {}", group.display()));
        }
        // A process that is dying is still in its group. v2 tells when the
        // last one is out; of v1 one can only ask again.
        let is_empty = !is_v1
            && events::wait_for(group, "populated 0", PATIENCE)
                .unwrap_or(true);
        if is_v1 || is_empty {
            sleep(wait);
            wait = (wait * 2).min(Duration::from_millis(100));
        }
    }
}

/// rmdir(2) is all that it takes, but from the bottom up: the files in the
/// folder do not count, the groups do.
fn remove_all(group: &Path) -> io::Result<()> {
    for group in Tree::below(group)?.groups.iter().rev() {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// A group and all that are below it, each behind the one above it.
///
/// Who may make groups may make them deeper than a path can be long (4096
/// bytes), than a stack can bear, and than we may have files open.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) groups: Vec<PathBuf>,
    // What the paths of the deep ones lead through.
    _held: Vec<File>,
}

impl Tree {
    /// Lists them; none where there is no group.
    ///
    /// # Errors
    /// EACCES.
    pub(crate) fn below(group: &Path) -> io::Result<Tree> {
        const LONG: usize = 2000;
        let (mut groups, mut held) = (vec![group.to_owned()], Vec::new());
        let mut at = 0;
        while let Some(group) = groups.get(at) {
            let listed = match group.as_os_str().len() {
                0..LONG => fs::read_dir(group),
                _ => File::open(group).and_then(|folder| {
                    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
                    held.push(folder);
                    fs::read_dir(path)
                }),
            };
            match listed {
                // Removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                listed => {
                    for entry in listed? {
                        let entry = entry?;
                        if entry.file_type()?.is_dir() {
                            groups.push(entry.path());
                        }
                    }
                }
            }
            at += 1;
        }
        Ok(Tree { groups, _held: held })
    }
}

/// Did the kernel say that groups are not ours to make?
pub(crate) fn is_refused(error: &Error) -> bool {
    let refused = [Errno::EACCES, Errno::EPERM, Errno::EROFS];
    let io = error.chain().find_map(|it| it.downcast_ref::<io::Error>());
    io.is_some_and(|io| refused.iter().any(|&errno| is(io, errno)))
}

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;

    #[test]
    fn a_tree_is_listed_and_removed_however_deep_it_is() {
        let folder = Folder::new();
        let top = folder.join("top");
        fs::create_dir_all(top.join("a/b")).expect("make them");
        let listed = Tree::below(&top).expect("list them");
        let right = [top.clone(), top.join("a"), top.join("a/b")];
        assert_eq!(listed.groups, right);
        // 5000 bytes: no path is that long.
        let (mut held, name) = (top.join("a/b"), "x".repeat(200));
        let mut files = Vec::new();
        for _ in 0..25 {
            fs::create_dir(held.join(&name)).expect("make one more");
            let file = File::open(held.join(&name)).expect("open it");
            held = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
            files.push(file);
        }
        assert_eq!(Tree::below(&top).expect("all").groups.len(), 28);
        remove_all(&top).expect("remove them");
        assert!(!top.exists());
        let gone = Tree::below(&top).expect("no error");
        assert_eq!(gone.groups, [top], "none below");
    }
}
