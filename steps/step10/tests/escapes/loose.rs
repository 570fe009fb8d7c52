//! The mount that the launcher's program is on, made writable from inside.
//!
//! What `/proc/PID/exe` leads to is on that mount, so a process inside has a
//! descriptor there, and root of a mount namespace may change mounts. But only
//! such as are in its own, or in nobody's yet (mount_setattr(2), EINVAL).

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use witness::{Folder, Machine, eventually, process};

use crate::program::{PERSON, attack, copy};
use crate::{Answer, own_program};

const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// Every way is tried that there is, and the kernel takes none.
pub const REFUSED: &str = "EINVAL EINVAL EINVAL EINVAL EINVAL";

/// Changes the mount that this descriptor is in, changes it as `mount -o
/// remount,bind,rw` does, binds it, hangs it in, and copies it for a change of
/// the copy. Says what the kernel says to each.
pub fn make_writable(held: &File) -> Answer {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let (own, none) = (own_program(), None::<&str>);
    let path = format!("/proc/self/fd/{}", held.as_raw_fd());
    let remount = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    let answers = [
        set_attributes(held, 0, RDONLY),
        mount(none, &*path, none, remount, none),
        mount(Some(&*path), &*own, none, MsFlags::MS_BIND, none),
        move_to(held, Path::new(&own)),
        clone(held).and_then(|copy| set_attributes(&copy, 0, RDONLY)),
    ];
    let words = answers.map(|answer| match answer {
        Ok(()) => "done".into(),
        Err(errno) => format!("{errno:?}"),
    });
    Ok(words.join(" "))
}

/// mount_setattr(2), for what the descriptor itself refers to.
fn set_attributes(
    file: &impl AsRawFd,
    set: u64,
    clear: u64,
) -> nix::Result<()> {
    let (propagation, userns_fd) = (0, 0);
    let wanted = libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation,
        userns_fd,
    };
    // SAFETY: the kernel reads one struct of the size that is given with it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const wanted,
            size_of_val(&wanted),
        )
    };
    Errno::result(answer).map(drop)
}

/// open_tree(2) with OPEN_TREE_CLONE, which libc does not have.
fn clone(file: &File) -> nix::Result<OwnedFd> {
    let flags = 1 | libc::AT_EMPTY_PATH;
    let number = file.as_raw_fd();
    // SAFETY: the string is a constant.
    let answer = unsafe {
        libc::syscall(libc::SYS_open_tree, number, c"".as_ptr(), flags)
    };
    let made = Errno::result(answer)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(made as i32) })
}

/// move_mount(2) with both paths empty, 0x44.
fn move_to(file: &File, target: &Path) -> nix::Result<()> {
    let target = File::open(target).map_err(crate::errno)?;
    let (from, to) = (file.as_raw_fd(), target.as_raw_fd());
    let empty = c"".as_ptr();
    // SAFETY: both descriptors are open, both strings are constants.
    let answer = unsafe {
        libc::syscall(libc::SYS_move_mount, from, empty, to, empty, 0x44)
    };
    Errno::result(answer).map(drop)
}

/// The control: a mount that its maker still holds is in a namespace of its
/// own, where it can be changed: by the descriptor, and by `/proc/PID/exe`.
#[test]
fn a_mount_that_is_still_held_can_be_made_writable() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let program = copy("/bin/cat", &folder.join("cat"));
    let attacker = copy(&own_program(), &folder.join("attacker"));
    let held =
        clone(&File::open(&program).expect("open it")).expect("a mount");
    set_attributes(&held, RDONLY, 0).expect("make it read-only");
    fcntl(&held, FcntlArg::F_SETFD(FdFlag::empty())).expect("leave it open");
    let mut victim = victim(&format!("/proc/self/fd/{}", held.as_raw_fd()));
    let mut attack = attack(&attacker, victim.id() as i32);
    let answer = attack.hear();
    assert!(answer.starts_with("done "), "{answer}");
    assert_eq!(attack.hear(), "ETXTBSY");
    drop(victim.stdin.take());
    victim.wait().expect("wait for it");
    // By now it hangs in the attacker's mount namespace, writable.
    assert_eq!(attack.hear(), REFUSED);
    assert_eq!(attack.hear(), "done");
    let after = std::fs::read(&program).expect("read it again");
    assert!(after.starts_with(b"overwritten"));
}

/// A process of root of a user namespace that executes this program, and ends
/// when its stdin does.
pub fn victim(program: &str) -> Child {
    let number = PERSON.to_string();
    let mut command = witness::command("setpriv");
    command.args(["--reuid", &number, "--regid", &number, "--clear-groups"]);
    command.args(["unshare", "--user", "--map-root-user", program]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let victim = command.spawn().expect("start it");
    let name = Path::new(program).file_name().expect("a name");
    eventually("the program to be executed", || {
        process::name(victim.id() as i32) == name.to_string_lossy()
    });
    victim
}
