//! step04 from outside: a shared image that no container changes, private
//! writes.

#[path = "../../step03/tests/own_root/mod.rs"]
mod own_root;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use own_root::own_root;
use witness::{Folder, Machine, Report, mount_at, run, start};

const STEP04: &str = env!("CARGO_BIN_EXE_step04");

fn inside(image: &str, script: &str) -> Report {
    run(STEP04, &["-q", "--image", image, "--", "sh", "-c", script])
}

/// Of each file: mode, owner, when anything about it last changed (seconds
/// and nanoseconds), and content.
type Snapshot = BTreeMap<PathBuf, (u32, u32, i64, i64, Vec<u8>)>;

fn snapshot(folder: &str) -> Snapshot {
    let mut found = Snapshot::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("list it").flatten() {
            let path = entry.path();
            let of = entry.metadata().expect("look at it");
            if of.is_dir() {
                folders.push(path.clone());
            }
            let content = match of.is_file() {
                true => fs::read(&path).expect("read it"),
                false => Vec::new(),
            };
            let changed = (of.ctime(), of.ctime_nsec());
            let facts = (of.mode(), of.uid(), changed.0, changed.1, content);
            found.insert(path, facts);
        }
    }
    found
}

#[test]
fn its_root_is_an_overlay_of_the_image_and_a_tmpfs() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let upper = folder.text("kept");
    let memory = "upperdir=memory/upper";
    for (flags, option, says) in [
        (&[][..], memory, "one layer, writes gone at exit"),
        (&["--upper", &upper], "upperdir=disk/upper", "kept on disk"),
    ] {
        let process = start(STEP04, flags, "");
        let root = mount_at(process.pid, "/").expect("a root");
        assert_eq!(root.kind, "overlay");
        let has = |wanted: &str| root.options.iter().any(|o| o == wanted);
        assert!(has("lowerdir=own:layer0") && has(option), "{root:?}");
        let machines = mount_at("self", "/").expect("a root");
        assert_ne!(root.device, machines.device, "the control");
        let report = process.end();
        let line = report.stderr.lines().find(|l| l.contains(" files "));
        let line = line.expect("a line about the files");
        assert!(line.contains("blind") && line.contains(says), "{line}");
    }
}

#[test]
fn the_image_stays_as_it_was_whatever_is_done_inside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = own_root(&folder);
    let before = snapshot(&image);
    let script = "echo more >>/etc/passwd && echo new >/new && rm /etc/group \
                  && chmod 700 /home && chown 7:7 /opt && rm -r /srv && \
                  mv /etc/hosts /etc/moved && ln -s /new /etc/link && \
                  touch /etc/profile && rm -rf /usr && echo all done";
    let report = inside(&image, script);
    assert_eq!(report.stdout, "all done\n", "{}", report.stderr);
    assert_eq!(snapshot(&image), before);
    fs::write(format!("{image}/etc/hosts"), "x").expect("write to it");
    assert_ne!(snapshot(&image), before, "the control");
}

#[test]
fn writes_are_gone_at_exit() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = own_root(&folder);
    let script = "test ! -e /new && echo x >/new && cat /new";
    for _ in 0..2 {
        let report = inside(&image, script);
        assert_eq!(report.stdout, "x\n", "{}", report.stderr);
    }
    fs::write(format!("{image}/new"), "").expect("write to the image");
    assert_ne!(inside(&image, script).status, 0, "the control");
}

#[test]
fn two_containers_on_one_image_do_not_see_each_others_writes() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = own_root(&folder);
    let flags = ["-q", "--image", &image];
    let processes = ["one", "two"].map(|name| {
        let script = format!("echo {name} >/same; echo x >/{name}; echo ok");
        let mut process = start(STEP04, &flags, &script);
        assert_eq!(process.hear(), "ok");
        process
    });
    let [one, two] = &processes;
    let path = |pid: i32, name: &str| format!("/proc/{pid}/root/{name}");
    let read = |pid, name| fs::read_to_string(path(pid, name));
    for (process, name) in [(one, "one\n"), (two, "two\n")] {
        let same = read(process.pid, "same");
        assert_eq!(same.expect("read its file"), name);
    }
    assert!(read(one.pid, "one").is_ok(), "the control: its own is there");
    assert!(read(one.pid, "two").is_err() && read(two.pid, "one").is_err());
    // What both have not changed is one and the same file of the image.
    let number = |pid| fs::metadata(path(pid, "usr/bin/sh")).map(|m| m.ino());
    assert_eq!(number(one.pid).ok(), number(two.pid).ok());
    for process in processes {
        process.end();
    }
}

#[test]
fn the_first_write_copies_the_whole_file_up() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (image, kept) = (own_root(&folder), folder.text("kept"));
    let big: Vec<u8> = (0..8 << 20).map(|n: u32| (n >> 8) as u8).collect();
    let path = Path::new(&image).join("big");
    fs::write(&path, &big).expect("write a big file");
    let step04 = |script: &str| {
        let flags = ["-q", "--image", &image, "--upper", &kept, "--"];
        let report =
            run(STEP04, &[&flags[..], &["sh", "-c", script]].concat());
        assert_eq!(report.status, 0, "{}", report.stderr);
    };
    let copy = folder.join("kept/upper/big");
    step04("cat /big >/dev/null");
    assert!(!copy.exists(), "the control: reading copies nothing");
    step04("printf end >>/big");
    let copied = fs::read(copy).expect("it was copied");
    assert_eq!(copied.len(), big.len() + 3);
    assert!(copied.starts_with(&big) && copied.ends_with(b"end"));
    assert_eq!(fs::read(path).expect("read the image's"), big);
}

#[test]
fn a_read_only_root_is_one_here_too() {
    let _machine = Machine::new();
    let write = ["--", "sh", "-c", "echo x >/dev/shm/new && echo x >/new"];
    let report = run(STEP04, &[&["-q", "--read-only"], &write[..]].concat());
    assert_ne!(report.status, 0);
    let said = report.stderr;
    assert!(said.contains("/new: Read-only file system"), "{said}");
    let control = run(STEP04, &[&["-q"], &write[..]].concat());
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
}

#[test]
fn the_machines_own_root_can_be_the_image() {
    let _machine = Machine::new();
    let script = "echo x >/etc/witness && ls /etc/witness; cat /etc/passwd";
    let flags = ["-q", "--rootfs", "/", "--", "sh", "-c", script];
    let report = run(STEP04, &flags);
    let passwd = fs::read_to_string("/etc/passwd").expect("read it");
    assert_eq!(report.stdout, format!("/etc/witness\n{passwd}"));
    assert!(!Path::new("/etc/witness").exists(), "written on the machine");
    let control = run(STEP04, &["-q", "--", "cat", "/etc/passwd"]);
    assert_ne!(control.stdout, passwd, "the control: another image");
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let machine = Machine::new();
    let folder = Folder::new();
    let image = own_root(&folder);
    let before = snapshot(&image);
    let flags = ["-q", "--image", &image];
    let mut process = start(STEP04, &flags, "echo x >/new; echo written");
    assert_eq!(process.hear(), "written");
    assert!(!machine.changes().is_empty(), "the control: it can be seen");
    assert_eq!(process.kill().status, 128 + 9);
    assert_eq!(snapshot(&image), before);
}

#[test]
fn a_volume_behind_a_link_to_nothing_leaves_the_image_as_it_was() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = own_root(&folder);
    fs::create_dir(folder.join("shown")).expect("make a folder");
    fs::write(folder.join("shown/file"), "shown\n").expect("write a file");
    symlink("var/nowhere", format!("{image}/late")).expect("make a link");
    let before = snapshot(&image);
    let volume = format!("{}:/late/x", folder.text("shown"));
    let script = "cat /late/x/file; touch /new && echo written";
    for (flags, written) in
        [(&["-q"][..], true), (&["-q", "--read-only"], false)]
    {
        let rest = ["-v", &volume, "--", "sh", "-c", script];
        let image = ["--image", &image];
        let report = run(STEP04, &[flags, &image, &rest].concat());
        assert!(report.stdout.starts_with("shown\n"), "{}", report.stderr);
        let is_written = report.stdout.contains("written");
        assert_eq!(is_written, written, "the control: {flags:?}");
    }
    assert_eq!(snapshot(&image), before);
}
