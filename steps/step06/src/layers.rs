//! Layers of an image whose owners are not mapped in the container.
//!
//! An image that the machine's root has made belongs to user 0. Root inside is
//! another number outside, so all of it would seem to belong to `nobody`. An
//! *idmapped* mount (mount_setattr(2), MOUNT_ATTR_IDMAP) shows other owners
//! than those on the disk; where the filesystem cannot do that, the layer is
//! copied.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use anyhow::{Context, Result, bail};
use libc::SIGCHLD;
use nix::errno::Errno;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::waitpid;
use step00::Advice;
use step03::filesystem;
use step03::tree::{self, Attributes, MOUNT_ATTR_IDMAP, Tree};
use step04::image::Image;

use crate::ids::{Maps, Writer};
use crate::ledger;
use crate::mapping::{Mapping, outside_of};
use crate::user::write_maps;
use crate::writing::die_with_launcher;

/// The owner that is shown for one that no map has: /proc/sys/fs/overflowuid.
const NOBODY: u32 = 65_534;

/// Shows every layer as if root inside had made it, and gives the folder for
/// the writes to that root.
///
/// Only the machine's root can do this. Without it the layers stay as they
/// are, which is right for images that the learner has made. What those of
/// others cannot do is told by the ledger.
pub fn adapt(image: &mut Image, maps: &Maps) -> Result<()> {
    if maps.writer != Writer::Root {
        return tell_whose(image, maps);
    }
    let root = outside_of(&maps.uids, 0).zip(outside_of(&maps.gids, 0));
    let (uid, gid) = root.context("find root inside in the maps")?;
    image.give_upper_to(uid, gid)?;
    for layer in &mut image.layers {
        let path = &layer.path;
        let found = fs::metadata(path)
            .with_context(|| format!("look at {}", path.display()))?;
        if (found.uid(), found.gid()) == (uid, gid) {
            continue;
        }
        let owners = owners(maps, found.uid(), found.gid());
        show_with_other_owners(layer, &owners)?;
    }
    Ok(())
}

/// A file whose owner has no number in the container cannot be changed there:
/// to copy it up, overlayfs would have to make another one with that owner, and
/// the kernel answers EOVERFLOW. (Which programs then call "Value too large".)
fn tell_whose(image: &Image, maps: &Maps) -> Result<()> {
    for layer in &image.layers {
        let path = layer.path.display();
        let found = fs::metadata(&layer.path)
            .with_context(|| format!("look at {path}"))?;
        let is_mapped = |map: &[Mapping], id| {
            map.iter()
                .any(|one| one.outside <= id && id - one.outside < one.count)
        };
        if !is_mapped(&maps.uids, found.uid()) {
            let text = format!(
                "{path} is uid {}'s, who is nobody in here: what it holds \
                 cannot be changed\n(EACCES; EOVERFLOW: \"Value too large\"). An \
                 image that you import yourself can",
                found.uid()
            );
            ledger::found("image", text);
        }
    }
    Ok(())
}

/// What is mapped: owners on the disk are "inside", those to be shown are
/// "outside".
fn owners(maps: &Maps, uid: u32, gid: u32) -> Maps {
    // In an image that root made, the owners are those that the container
    // knows. In a person's, the files are that person's, and become root's.
    let shift = |map: &[Mapping], owner: u32| match owner {
        0 => map.to_vec(),
        owner => vec![Mapping {
            inside: owner,
            outside: outside_of(map, 0).unwrap_or_default(),
            count: 1,
        }],
    };
    Maps {
        uids: shift(&maps.uids, uid),
        gids: shift(&maps.gids, gid),
        writer: Writer::Root,
    }
}

fn show_with_other_owners(layer: &mut Tree, owners: &Maps) -> Result<()> {
    let name = layer.path.display().to_string();
    let idmap = set_idmap(layer, owners)
        .with_context(|| format!("map the owners of {name}"))?;
    if idmap == Idmap::Unsupported {
        let copy = copy_with_other_owners(layer, owners)
            .with_context(|| format!("copy {name} for other owners"))?;
        layer.replace(copy);
    }
    Ok(())
}

/// Whether a mount shows other owners now.
#[derive(PartialEq)]
enum Idmap {
    Set,
    /// This filesystem, or this kernel, has no idmapped mounts.
    Unsupported,
}

/// Makes the layer's mount an idmapped one: mount_setattr(2).
fn set_idmap(layer: &Tree, owners: &Maps) -> Result<Idmap> {
    if !overlay_takes_idmaps() {
        return Ok(Idmap::Unsupported);
    }
    let namespace = user_namespace(owners)?;
    let attributes = Attributes {
        set: MOUNT_ATTR_IDMAP,
        userns_fd: namespace.as_raw_fd() as u64,
        ..Attributes::default()
    };
    let answer = tree::change(layer.hold()?, attributes);
    let Err(error) = answer else { return Ok(Idmap::Set) };
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::EINVAL | Errno::EOPNOTSUPP => Ok(Idmap::Unsupported),
        errno => Err(errno.into()),
    }
}

/// A user namespace of which only the maps are used. It exists as long as
/// something refers to it: first a process, then a descriptor, then the mount.
///
/// The process ends at once. Until its parent waits for it, it still has its
/// number, and in /proc its namespace and its maps. So it needs no copy of this
/// memory either, only a stack.
///
/// # Errors
/// ENOSPC for too many of them, and as for [`write_maps`].
pub fn user_namespace(maps: &Maps) -> Result<File> {
    let mut stack = [0; 8192];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    let flags = flags | CloneFlags::CLONE_NEWUSER;
    // SAFETY: this process waits until the new one has ended (CLONE_VFORK), and
    // that one does nothing, on a stack of its own.
    let holder =
        unsafe { clone(Box::new(|| 0), &mut stack, flags, Some(SIGCHLD)) };
    let holder = holder
        .context("make a user namespace")
        .advice("see /proc/sys/user/max_user_namespaces")?;
    let path = format!("/proc/{holder}/ns/user");
    let namespace = write_maps(holder, maps)
        .and_then(|()| File::open(&path).context(path));
    waitpid(holder, None).context("wait for its process")?;
    namespace
}

/// overlayfs has taken idmapped layers since Linux 5.19.
fn overlay_takes_idmaps() -> bool {
    let Ok(name) = nix::sys::utsname::uname() else { return false };
    let release = name.release().to_string_lossy().into_owned();
    let numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let numbers: Vec<u32> = numbers.take(2).flatten().collect();
    numbers >= vec![5, 19]
}

/// Copies a layer into a tmpfs that is mounted nowhere, so that it goes with
/// the last descriptor for it. It takes as much memory as the layer is big.
fn copy_with_other_owners(layer: &Tree, owners: &Maps) -> Result<OwnedFd> {
    let copy =
        filesystem::detached("tmpfs", "tmpfs", &[]).context("make a tmpfs")?;
    let path = path_of(copy.as_fd());
    // By way of the descriptor, nothing is mounted below the layer.
    let mut command = std::process::Command::new("cp");
    die_with_launcher(&mut command);
    let status = command
        .args(["-a", "--", &format!("{}/.", path_of(layer.hold()?)), &path])
        .status()
        .context("run cp")?;
    if !status.success() {
        bail!("cp -a {} failed: {status}", layer.path.display());
    }
    change_owners(&Path::new(&path).join("."), owners, &mut HashSet::new())?;
    Ok(copy)
}

/// A path by which another program reaches what a descriptor of ours refers
/// to.
fn path_of(descriptor: BorrowedFd<'_>) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), descriptor.as_raw_fd())
}

/// Gives `path` and all below it to the owners that are to be shown; `done`
/// holds the inodes that have been given already.
fn change_owners(
    path: &Path,
    owners: &Maps,
    done: &mut HashSet<u64>,
) -> Result<()> {
    let found = path.symlink_metadata()?;
    // A file with two names is met twice, and has its new owner by then.
    if !found.is_dir() && found.nlink() > 1 && !done.insert(found.ino()) {
        return Ok(());
    }
    let shown = |map: &[Mapping], owner| {
        Some(outside_of(map, owner).unwrap_or(NOBODY))
    };
    let uid = shown(&owners.uids, found.uid());
    let gid = shown(&owners.gids, found.gid());
    lchown(path, uid, gid)?;
    if !found.is_symlink() {
        // chown(2) takes a setuid bit away; the image has it on purpose.
        fs::set_permissions(path, Permissions::from_mode(found.mode()))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            change_owners(&entry?.path(), owners, done)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;
    use crate::ids::Writer;

    /// As all tests of this rung it needs root.
    #[test]
    fn each_file_gets_its_new_owner_once() {
        let folder = witness::Folder::new();
        let range = |outside| vec![Mapping { inside: 0, outside, count: 10 }];
        let owners = Maps {
            uids: range(100_000),
            gids: range(200_000),
            writer: Writer::Root,
        };
        fs::create_dir(folder.join("deep")).expect("make a folder");
        for name in ["one", "deep/mapped", "deep/stranger"] {
            fs::write(folder.join(name), "").expect("make a file");
        }
        // The second name of the one, of one inode.
        fs::hard_link(folder.join("one"), folder.join("deep/two"))
            .expect("make a second name");
        symlink("/no/such/file", folder.join("link")).expect("make a link");
        let mapped = folder.join("deep/mapped");
        chown(&mapped, Some(3), Some(4)).expect("give it away");
        let setuid = Permissions::from_mode(0o4751);
        fs::set_permissions(&mapped, setuid).expect("make it set-user-ID");
        chown(folder.join("deep/stranger"), Some(500), Some(500))
            .expect("give it away");

        change_owners(folder.path(), &owners, &mut HashSet::new())
            .expect("change them");
        for (name, uid, gid) in [
            (".", 100_000, 200_000),
            ("one", 100_000, 200_000),
            ("deep/two", 100_000, 200_000),
            ("link", 100_000, 200_000),
            ("deep", 100_000, 200_000),
            ("deep/mapped", 100_003, 200_004),
            ("deep/stranger", NOBODY, NOBODY),
        ] {
            let found = folder.join(name).symlink_metadata().expect(name);
            assert_eq!((found.uid(), found.gid()), (uid, gid), "{name}");
        }
        let mode = mapped.metadata().expect("look at it").mode();
        assert_eq!(mode & 0o7777, 0o4751);
    }
}
