//! The ledger of a process whose pivot is only half done: the old root is
//! still mounted, and on top of the new one.

use std::fs;
use std::sync::mpsc;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, chdir, gettid, pivot_root};
use step00::{Line, Proc, Subject};
use witness::{Folder, Machine, mounts};

const NONE: Option<&str> = None;

/// In mounts of this thread's own: from the machine's root on to an overlay,
/// as step03 and step04 do it, but for the umount2(2) at the end.
fn pivot_half(folder: &str) {
    let change = |kind: &str, place: &str, flags, options: Option<&str>| {
        mount(Some(kind), place, Some(kind), flags, options)
            .unwrap_or_else(|errno| panic!("{kind} on {place}: {errno}"));
    };
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
        .expect("have mounts of our own");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NONE, "/", NONE, private, NONE).expect("let go of the machine's");
    change("tmpfs", folder, MsFlags::empty(), None);
    chdir(folder).expect("enter it");
    for name in ["own", "layer0", "upper", "work", "merged"] {
        fs::create_dir(name).expect("make a folder");
    }
    let layers = "lowerdir=own:layer0,upperdir=upper,workdir=work";
    change("overlay", "merged", MsFlags::empty(), Some(layers));
    chdir("merged").expect("enter the new root");
    pivot_root(".", ".").expect("pivot");
}

/// What is said about a thread while it waits after `prepare`.
fn look(prepare: impl FnOnce() + Send, ask: impl FnOnce(&Subject) + Send) {
    let (ready, wait_for_it) = mpsc::channel::<Pid>();
    let (go_on, told_to) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            prepare();
            ready.send(gettid()).expect("say that it is done");
            let _ = told_to.recv();
        });
        // A thread has a folder in /proc as well, though no `ls` shows it.
        let pid = wait_for_it.recv().expect("the thread is ready");
        ask(&Subject::new(pid));
        drop(go_on);
    });
}

fn texts(lines: step00::Result<Vec<Line>>) -> Vec<String> {
    let lines = lines.expect("a ledger");
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn it_tells_of_the_processs_own_root_and_not_of_the_old_one() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let place = folder.text("new");
    fs::create_dir(&place).expect("make a mount point");
    look(
        || pivot_half(&place),
        |half| {
            let all = mounts(half.pid);
            let mut kinds = all.iter().filter(|m| m.point == "/");
            let first = kinds.next().expect("a root").kind.as_str();
            assert_ne!(first, "overlay", "control: the first line is the old");
            assert!(kinds.any(|mount| mount.kind == "overlay"), "{all:#?}");

            let text = "another /: overlay on one layer, writes gone at exit";
            assert_eq!(texts(step04::ledger::read(half)), [text]);
            let count = all.len();
            let text =
                format!("another / (overlay), {count} mounts of its own");
            assert_eq!(texts(step03::ledger::read(half)), [text]);
        },
    );
}

/// The mount on top of `/` is not the root either, unless the process goes
/// there.
#[test]
fn what_is_mounted_over_the_root_is_not_the_root() {
    let _machine = Machine::new();
    let cover = || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
            .expect("have mounts of our own");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(NONE, "/", NONE, private, NONE).expect("let go");
        let kind = Some("ramfs");
        mount(kind, "/", kind, MsFlags::empty(), NONE).expect("cover the /");
    };
    look(cover, |covered| {
        let all = mounts(covered.pid);
        let last = all.iter().rfind(|mount| mount.point == "/");
        assert_eq!(last.expect("a mount").kind, "ramfs", "control: the last");
        let mounts = covered.mounts().expect("its mounts");
        let root = mounts.root().map(|root| root.kind.as_str());
        assert_ne!(root, Some("ramfs"));
        let own = Proc::own().mounts().expect("our mounts");
        assert_eq!(root, own.root().map(|root| root.kind.as_str()));
        assert_eq!(mounts.at("/"), mounts.root());
    });
}
