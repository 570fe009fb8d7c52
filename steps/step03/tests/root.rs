//! step03 from outside: another root directory, and no way back.

mod own_root;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chroot};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use own_root::own_root;
use witness::{Folder, Machine, mount_at, mounts, run, start};

const STEP03: &str = env!("CARGO_BIN_EXE_step03");

/// Starts the rest of the command line in a mount namespace in which every
/// mount is shared, as systemd makes them on most machines.
const SHARED: [&str; 5] =
    ["-m", "sh", "-c", "mount --make-rshared / && exec \"$@\"", "sh"];

fn mount_points(pid: impl std::fmt::Display) -> BTreeSet<String> {
    mounts(pid).into_iter().map(|mount| mount.point).collect()
}

/// Does this process have a mount that shows the machine's whole root?
fn has_machines_root(pid: impl std::fmt::Display) -> bool {
    let machines = mount_at("self", "/").expect("a mount on /");
    let same = |device: &str, root: &str| {
        device == machines.device && root == machines.root
    };
    mounts(pid).iter().any(|mount| same(&mount.device, &mount.root))
}

/// The number of a folder, which tells it from every other one.
fn number(folder: impl AsRef<Path>) -> (u64, u64) {
    let metadata = fs::metadata(folder).expect("look at the folder");
    (metadata.dev(), metadata.ino())
}

#[test]
fn its_root_is_the_rootfs_and_nothing_of_the_machines_is_mounted() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let process = start(STEP03, &["-q", "--rootfs", &root], "");
    assert!(process.is_apart("mnt"));
    let its_root = format!("/proc/{}/root/", process.pid);
    assert_eq!(number(its_root), number(&root));
    assert_ne!(number("/"), number(&root), "the control: there are two");
    assert!(!has_machines_root(process.pid), "{:#?}", mounts(process.pid));
    assert!(has_machines_root("self"), "the control");
    let all = "/ /dev /dev/full /dev/null /dev/pts /dev/random /dev/shm \
               /dev/tty /dev/urandom /dev/zero /proc /sys";
    let points = mount_points(process.pid).into_iter().collect::<Vec<_>>();
    assert_eq!(points.join(" "), all);
    process.end();
}

#[test]
fn no_mount_gets_out_even_where_every_mount_is_shared() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let volume = format!("{}:/mnt", folder.text(""));
    let step03 = [STEP03, "-q", "-v", &volume];
    let process = start("unshare", &[&SHARED[..], &step03].concat(), "");
    // The launcher's namespace stands for the machine here.
    let machine = mounts(process.launcher());
    // (With an exercise the launcher itself has left it: stage/belt.rs. What
    // gets out all the same is for `cargo workshop check 3` to see.)
    assert!(
        cfg!(feature = "exercise")
            || machine.iter().all(|m| m.propagation.starts_with("shared")),
        "the premise"
    );
    assert_eq!(mount_points(process.launcher()), mount_points("self"));
    let inside = mounts(process.pid);
    assert!(
        inside.iter().all(|mount| mount.propagation.is_empty()),
        "{inside:#?}"
    );
    assert!(inside.iter().any(|mount| mount.point == "/mnt"), "the premise");
    process.end();

    // The control: without `make_private`, a copy of the mounts is no
    // protection.
    let copy = "unshare -m --propagation unchanged mount -t tmpfs none \"$0\"
                cat /proc/self/mountinfo";
    let point = folder.text("");
    let command = [&SHARED[..], &["sh", "-c", copy, &point]].concat();
    let report = run("unshare", &command);
    let point = point.trim_end_matches('/');
    assert!(report.stdout.contains(&format!(" {point} ")), "the control");
}

/// The old way out of a chroot(2): move the root directory below the working
/// directory, which stays where it is, and climb up from there, past the root.
fn climb_out() -> io::Result<()> {
    chroot("/tmp")?;
    for _ in 0..64 {
        std::env::set_current_dir("..")?;
    }
    chroot(".")
}

/// Goes in by `enter`, climbs out, and looks whether there is such a file.
fn finds(
    file: &Path,
    enter: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> bool {
    let mut test = Command::new("/bin/test");
    test.arg("-e").arg(file);
    // SAFETY: between fork and exec there are only system calls, with paths
    // that are short enough for the stack: nothing allocates.
    unsafe { test.pre_exec(move || enter().and_then(|()| climb_out())) };
    let status = test.status().expect("enter, climb out, and start test");
    match status.code() {
        Some(found @ 0..=1) => found == 0,
        other => panic!("/bin/test ended with {other:?}"),
    }
}

#[test]
fn a_second_chroot_leads_out_of_a_chroot_but_not_out_of_here() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let secret = folder.join("secret");
    fs::write(&secret, "").expect("write a secret");
    fs::write(format!("{root}/mark"), "").expect("write a mark");

    let jail = root.clone();
    let enter =
        move || chroot(&jail).and_then(|()| std::env::set_current_dir("/"));
    assert!(finds(&secret, enter), "the control: a chroot is no prison");

    let process = start(STEP03, &["-q", "--rootfs", &root], "");
    let enter = || {
        let path = format!("/proc/{}/ns/mnt", process.pid);
        File::open(path).expect("open its mount namespace")
    };
    for (file, is_found) in [(&secret, false), (&"/mark".into(), true)] {
        let namespace = enter();
        let enter = move || Ok(setns(&namespace, CloneFlags::CLONE_NEWNS)?);
        assert_eq!(finds(file, enter), is_found, "{file:?}");
    }
    process.end();
}

#[test]
fn the_files_are_another_distributions_and_the_kernel_is_the_machines() {
    let _machine = Machine::new();
    let script = "uname -r; cat /etc/os-release";
    let inside = run(STEP03, &["-q", "--", "sh", "-c", script]).stdout;
    let outside = run("sh", &["-c", script]).stdout;
    let (kernel, files) = inside.split_once('\n').expect("two answers");
    let (machines, others) = outside.split_once('\n').expect("two answers");
    assert_eq!(kernel, machines);
    assert_ne!(files, others);
    assert!(files.contains("\nID=blindfolds\n"), "{files}");
}

fn descriptors(pid: i32) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let entries = entries.expect("list its descriptors").flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn child_of(pid: i32) -> i32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).expect("list its children");
    let first = children.split_whitespace().next().expect("a child");
    first.parse().expect("a number")
}

#[test]
fn an_open_folder_of_the_launcher_is_no_way_around_the_blindfold() {
    let _machine = Machine::new();
    let leak = ["-c", "exec 9</ && exec \"$@\"", "sh"];
    let three = BTreeSet::from(["0", "1", "2"].map(String::from));
    for init in [&[][..], &["--init"]] {
        let flags = [&leak[..], &[STEP03, "-q"], init].concat();
        let process = start("sh", &flags, "");
        assert!(descriptors(process.launcher()).contains("9"), "the premise");
        let command = match init {
            [] => process.pid,
            _ => child_of(process.pid),
        };
        assert_eq!(descriptors(command), three, "{init:?}");
        process.end();
    }
    // The control: execve(2) alone passes it on, as step00 to step02 do.
    let control = [&leak[..], &["sh", "-c", "test -d /proc/self/fd/9"]];
    assert_eq!(run("sh", &control.concat()).status, 0, "the control");
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let machine = Machine::new();
    let process = start(STEP03, &["-q"], "");
    assert!(!machine.changes().is_empty(), "the control: it can be seen");
    let report = process.kill();
    assert_eq!(report.status, 128 + 9);
}

#[test]
fn the_ledger_says_what_is_mounted_on_its_root() {
    let _machine = Machine::new();
    for (flags, read_only) in [(&["--read-only"][..], true), (&[], false)] {
        let process = start(STEP03, flags, "");
        let root = mount_at(process.pid, "/").expect("a root");
        let count = mounts(process.pid).len();
        let report = process.end();
        let line = report.stderr.lines().find(|l| l.contains(" files "));
        let line = line.expect("a line about the files");
        assert!(line.contains("blind"), "{line}");
        assert!(line.contains(&format!("({}", root.kind)), "{line}");
        assert!(line.contains(&format!("{count} mounts")), "{line}");
        assert_eq!(line.contains("read-only"), read_only, "{line}");
        assert_eq!(root.flags.contains(&"ro".into()), read_only);
    }
}
