//! The machine's files, disks and settings.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::{chdir, chroot};
use witness::{Folder, Machine, Mount};

use crate::{
    ALL_POWERS, Answer, IDENTITY, NO_FILTER, NO_MASKS, done, errno, inside,
    outside,
};

/// Says which directory `/` is.
pub fn root(_: &str) -> Answer {
    identity("/")
}

pub fn identity(path: &str) -> Answer {
    let found = fs::metadata(path).map_err(errno)?;
    Ok(format!("device {} inode {}", found.dev(), found.ino()))
}

/// Gets out of a jail that chroot(2) has made below `folder`: a second chroot
/// moves the root directory below the working directory, and nothing stops
/// `..` there (chroot(2), NOTES). Returns which directory is reached.
pub fn chroot_twice(folder: &str) -> Answer {
    let jail = format!("{folder}/jail");
    fs::create_dir_all(format!("{jail}/deeper")).map_err(errno)?;
    chroot(jail.as_str())?;
    chdir("/")?;
    chroot("deeper")?;
    for _ in 0..64 {
        chdir("..")?;
    }
    chroot(".")?;
    identity("/")
}

/// Takes a path and a device, as `/tmp/disk 254:0`.
pub fn make_node(argument: &str) -> Answer {
    let (path, device) = argument.split_once(' ').expect("two words");
    let (major, minor) = device.split_once(':').expect("two numbers");
    let number = |text: &str| text.parse().expect("a number");
    let device = libc::makedev(number(major), number(minor));
    mknod(path, SFlag::S_IFBLK, Mode::from_bits_truncate(0o600), device)?;
    done()
}

pub fn open(path: &str) -> Answer {
    File::open(path).map_err(errno)?;
    done()
}

/// Takes a type, a source and a target, which is made.
pub fn mount(argument: &str) -> Answer {
    let words: Vec<&str> = argument.split(' ').collect();
    let [kind, source, target] = words[..] else { panic!("three words") };
    fs::create_dir_all(target).map_err(errno)?;
    let (none, flags) = (None::<&str>, MsFlags::empty());
    nix::mount::mount(Some(source), target, Some(kind), flags, none)?;
    done()
}

/// Writes to a file what is in it already.
pub fn rewrite(path: &str) -> Answer {
    let text = fs::read_to_string(path).map_err(errno)?;
    let mut file = File::options().write(true).open(path).map_err(errno)?;
    file.write_all(text.as_bytes()).map_err(errno)?;
    done()
}

#[test]
fn a_second_chroot_ends_at_the_containers_root() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let attempts = ["root", "chroot-twice /tmp"];
    // The guard: pivot_root(2), and that the old root is unmounted. The
    // attempt does get out of its jail, but above that is the container's /
    // and no other.
    let found = inside(&[], &attempts);
    assert_eq!(found[0], found[1]);
    assert_ne!(found[1], outside(&["root"])[0]);
    // A second guard: without CAP_SYS_CHROOT there is no jail to begin with.
    let found = inside(&["--cap-drop", "sys_chroot"], &attempts);
    assert_eq!(found[1], "EPERM");
    // The control: a jail on the machine, as a container without pivot_root
    // would be, leads to the machine's root.
    let jail = format!("chroot-twice {}", folder.path().display());
    let found = outside(&["root", &jail]);
    assert_eq!(found[0], found[1]);
}

/// A disk that is mounted somewhere: to mount it once more shows the same
/// files in another place, and is no danger to them.
fn disk() -> Mount {
    let mounts = witness::mounts("self");
    // Filesystems without a disk have the major number 0.
    let is_disk =
        |m: &Mount| !m.device.starts_with("0:") && m.kind != "squashfs";
    mounts.into_iter().find(is_disk).expect("a disk that is in use")
}

#[test]
fn the_machines_disk_cannot_be_mounted() {
    let _machine = Machine::new();
    // Not below /tmp, which may be mounted with nodev.
    let folder = Folder::below(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let disk = disk();
    let node = folder.text("disk");
    let make = |path| format!("make-node {path} {}", disk.device);

    // The guard: the user namespace. CAP_MKNOD, which root inside has, is
    // asked for in the machine's (mknod(2), EPERM). No other guard matters.
    let free = [&NO_FILTER[..], &ALL_POWERS, &IDENTITY].concat();
    for flags in [&[][..], &free] {
        assert_eq!(inside(flags, &[&make("/tmp/disk")]), ["EPERM"]);
    }
    assert_eq!(outside(&[&make(&node)]), ["done"], "the control");

    // A node that is there already, brought in by a volume. The guard: it
    // belongs to the machine's root, who is nobody inside. (This one is
    // /dev/zero's: not every machine lets root open a disk that is in use.)
    let mode = Mode::from_bits_truncate(0o600);
    let zero = libc::makedev(1, 5);
    mknod(&folder.join("zero"), SFlag::S_IFCHR, mode, zero)
        .expect("make a node");
    let volume = format!("{}:/nodes", folder.path().display());
    let with_nodes = ["--volume", volume.as_str()];
    assert_eq!(inside(&with_nodes, &["open /nodes/zero"]), ["EACCES"]);
    let flags = [&with_nodes[..], &IDENTITY].concat();
    let control = inside(&flags, &["open /nodes/zero"]);
    assert_eq!(control, ["done"], "the control");

    let tmpfs = "mount tmpfs none /tmp/memory";
    let mount = |node, target| format!("mount {} {node} {target}", disk.kind);
    let mount_inside = mount("/nodes/disk", "/tmp/disk");
    // Three guards: the filter; CAP_SYS_ADMIN; and that only some types may be
    // mounted in a user namespace (user_namespaces(7), "Effect of capabilities
    // within a user namespace"). They all say the same, so a harmless tmpfs
    // shows when two of them are off.
    for (flags, memory) in [
        (&[][..], "EPERM"),
        (&NO_FILTER, "EPERM"),
        (&ALL_POWERS, "EPERM"),
        (&free, "done"),
    ] {
        let flags = [&with_nodes[..], flags].concat();
        let found = inside(&flags, &[tmpfs, &mount_inside]);
        assert_eq!(found, [memory, "EPERM"], "{flags:?}");
    }
    // The control: the machine's root mounts it, and finds its files.
    let target = folder.text("files");
    let control = [&mount(&node, &target), &format!("open {target}")];
    let control = outside(&control.map(String::as_str));
    assert_eq!(control, ["done", "done"]);
}

#[test]
fn settings_of_the_kernel_cannot_be_written() {
    let _machine = Machine::new();
    // What is written here names a program that the kernel starts as the
    // machine's root, outside every namespace (core(5)).
    let attempt = ["rewrite /proc/sys/kernel/core_pattern"];
    for (flags, answer) in [
        // The guard: the user namespace. The file is for the machine's root.
        (&[][..], "EACCES"),
        (&NO_MASKS, "EACCES"),
        // Behind it: /proc/sys is mounted read-only (step10's masks).
        (&IDENTITY, "EROFS"),
        // More powers do not make another user the machine's root.
        (&[&NO_MASKS[..], &ALL_POWERS].concat(), "EACCES"),
        // The control.
        (&[&NO_MASKS[..], &IDENTITY].concat(), "done"),
    ] {
        assert_eq!(inside(flags, &attempt), [answer], "{flags:?}");
    }
}
