//! Where a container's groups are, from linux.cgroupsPath.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Pid;
use step00::Proc;
use step00::proc::Mount;
use step07::place::{MOUNT, is_unified};

/// The name of a tree without controllers of v1: that of v2.
pub(crate) const UNIFIED: &str = "";

/// The controllers of v1, each of which may have a tree of its own.
const CONTROLLERS: [&str; 14] = [
    "cpuset",
    "cpu",
    "cpuacct",
    "memory",
    "devices",
    "freezer",
    "pids",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
];

/// The folder in each tree. On a machine with cgroup v2 there is one tree, and
/// its name is [`UNIFIED`]; on others, one for each controller, and it may be
/// the same folder for two (`cpu,cpuacct`).
pub(crate) type Groups = BTreeMap<String, PathBuf>;

/// Has this machine v2, and that alone?
pub(crate) fn has_v2() -> bool {
    is_unified(Path::new(MOUNT))
}

/// `path` in all trees: one that is absolute from the top of each tree, and
/// any other from where this process is.
pub(crate) fn in_all_trees(path: &str) -> Result<Groups> {
    let path = clean(path)?;
    if has_v2() {
        let above = match path.is_absolute() {
            true => PathBuf::from("/"),
            // This process is in its own group, and beside processes there can
            // be no groups with limits ("no internal processes").
            false => above_own()?,
        };
        let group = below(Path::new(MOUNT), &above.join(path));
        return Ok(Groups::from([(UNIFIED.to_owned(), group)]));
    }
    let own = Proc::own().read("cgroup")?;
    let mut groups = Groups::new();
    for mount in Proc::own().mounts()?.iter() {
        for tree in trees(mount) {
            let path = match path.is_absolute() {
                true => path.clone(),
                false => own_in(&own, &tree, &mount.root)
                    .with_context(|| format!("find our own cgroup of {tree}"))?
                    .join(&path),
            };
            // A tree may be mounted twice. The first is the usual one.
            groups.entry(tree).or_insert_with(|| below(&mount.point, &path));
        }
    }
    ensure!(!groups.is_empty(), "there are no cgroups on this machine");
    Ok(groups)
}

/// A path that leads nowhere but down.
fn clean(path: &str) -> Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                bail!("linux.cgroupsPath: `..` is not allowed in {path:?}")
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    if path.contains(['\0', '\n']) || clean.file_name().is_none() {
        bail!("linux.cgroupsPath: {path:?} does not name a group");
    }
    Ok(clean)
}

/// `path` below a mount point, also if it begins with a slash.
fn below(point: &Path, path: &Path) -> PathBuf {
    point.join(path.strip_prefix("/").unwrap_or(path))
}

/// The group above that of this process, in the one tree of v2.
fn above_own() -> Result<PathBuf> {
    let own = Proc::own().group()?.context("find our own cgroup")?;
    let above = Path::new(&own).parent().unwrap_or(Path::new("/"));
    Ok(above.to_owned())
}

/// The folder of the group of v2 that a process is in.
///
/// # Errors
/// ENOENT when it has ended.
pub(crate) fn folder_of(pid: Pid) -> Result<File> {
    let group = Proc::of(pid).group()?.context("find the process's cgroup")?;
    let group = below(Path::new(MOUNT), Path::new(&group));
    File::open(&group).with_context(|| format!("open {}", group.display()))
}

/// Each tree of v1: where the machine has it, and the folder of the group of
/// this process in it. (With a bind of /sys it is mounted in the container's
/// root as well.)
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn own_in_v1() -> Result<Vec<(PathBuf, PathBuf)>> {
    let own = Proc::own().read("cgroup")?;
    let mounts = Proc::own().mounts()?;
    let is_machines = |mount: &&Mount| {
        mount.kind == "cgroup" && mount.point.starts_with(MOUNT)
    };
    let of_v1 = mounts.iter().filter(is_machines);
    let groups = of_v1.filter_map(|mount| {
        let tree = trees(mount).into_iter().next()?;
        let path = own_in(&own, &tree, &mount.root)?;
        Some((mount.point.clone(), below(&mount.point, &path)))
    });
    Ok(groups.collect())
}

/// Which trees a mount shows. Among the options of the filesystem are the
/// names of the controllers, or `name=…` for a tree that has none.
fn trees(mount: &Mount) -> Vec<String> {
    let is_tree = |option: &&String| {
        CONTROLLERS.contains(&option.as_str()) || option.starts_with("name=")
    };
    match mount.kind.as_str() {
        "cgroup2" => vec![UNIFIED.to_owned()],
        "cgroup" => {
            mount.super_options.iter().filter(is_tree).cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// Where a process is in a tree, below what is mounted (`root`) of it: from
/// its lines `NUMBER:CONTROLLERS:PATH` (cgroups(7), "/proc/pid/cgroup").
fn own_in(lines: &str, tree: &str, root: &Path) -> Option<PathBuf> {
    let path = lines.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        names.split(',').any(|name| name == tree).then_some(path)
    })?;
    let path = Path::new(path);
    let path = path.strip_prefix(root).unwrap_or(path);
    Some(Path::new("/").join(path))
}

#[cfg(test)]
mod tests {
    use step00::proc::Mounts;

    use super::*;

    #[test]
    fn a_path_leads_down_and_names_a_group() {
        for (path, right) in [
            ("/docker/7", "/docker/7"),
            ("docker/7", "docker/7"),
            ("//docker/./7/", "/docker/7"),
            ("7", "7"),
        ] {
            assert_eq!(clean(path).expect(path), Path::new(right));
        }
        for path in ["/", "", ".", "/docker/../7", "..", "a/..", "a\0", "a\n"]
        {
            let error = clean(path).expect_err(path).to_string();
            assert!(error.starts_with("linux.cgroupsPath: "), "{error}");
        }
    }

    #[test]
    fn the_trees_of_a_machine_are_found_by_their_mounts() {
        let table = b"1 0 0:1 / / rw - ext4 /dev/vda rw\n\
            2 1 0:2 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            3 2 0:3 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
            4 2 0:4 / /sys/fs/cgroup/x rw - cgroup cgroup rw,name=systemd\n\
            5 2 0:5 / /sys/fs/cgroup/u rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let mounts = Mounts::parse(table, None);
        let found: Vec<_> = mounts.iter().flat_map(trees).collect();
        assert_eq!(found, ["cpu", "cpuacct", "name=systemd", UNIFIED]);
    }

    #[test]
    fn the_own_group_is_read_below_what_is_mounted() {
        let lines = "4:cpu,cpuacct:/docker/7/x\n1:name=systemd:/a:b\n0::/c\n";
        let own = |tree, root| own_in(lines, tree, Path::new(root));
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(own("cpuacct", "/"), path("/docker/7/x"));
        assert_eq!(own("cpu", "/docker/7"), path("/x"));
        assert_eq!(own("cpu", "/docker/7/x"), path("/"));
        assert_eq!(own("name=systemd", "/"), path("/a:b"));
        assert_eq!(own(UNIFIED, "/"), path("/c"));
        assert_eq!(own("memory", "/"), None);
    }
}
