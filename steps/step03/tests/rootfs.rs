//! step03: which folders can become the root, and what it says of the others.

mod own_root;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use own_root::own_root;
use witness::{Folder, Machine, Report, run, run_in};

const STEP03: &str = env!("CARGO_BIN_EXE_step03");

fn inside(root: &str, command: &[&str]) -> Report {
    run(STEP03, &[&["-q", "--rootfs", root, "--"], command].concat())
}

/// An error of the workshop's own: the command did not run, there is one
/// advice, and the message names what it is about.
fn assert_refused(report: &Report, names: &str) {
    let said = &report.stderr;
    assert_eq!((report.status, &*report.stdout), (125, ""), "{said}");
    assert!(said.starts_with("step03: "), "{said}");
    assert!(said.contains(names), "{names} in: {said}");
    assert_eq!(said.matches("\n  try: ").count(), 1, "{said}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("list a folder").flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn what_is_no_folder_cannot_become_the_root() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (missing, file) = (folder.text("missing"), folder.text("file"));
    fs::write(&file, "").expect("write a file");
    for wrong in [&missing, &file, "/"] {
        assert_refused(&inside(wrong, &["echo", "ran"]), wrong);
    }
    assert_eq!(names(folder.path()), ["file"], "nothing was made");
    let root = own_root(&folder);
    let control = inside(&root, &["echo", "ran"]);
    assert_eq!(control.stdout, "ran\n", "the control: {}", control.stderr);
}

#[test]
fn without_a_shell_a_command_must_be_named() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    fs::remove_file(format!("{root}/usr/bin/sh")).expect("remove the shell");
    assert_refused(&inside(&root, &[]), "/bin/sh");
    let named = inside(&root, &["sh"]);
    assert_eq!(named.status, 127, "named, it is a command not found");
    let other = inside(&root, &["echo", "ran"]);
    assert_eq!((other.status, &*other.stdout), (0, "ran\n"));
    let control = run(STEP03, &["-q"]);
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
}

#[test]
fn missing_mount_points_are_made_where_that_is_possible() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let read_only = format!(
        "mount --bind {root} {root} && mount -o remount,bind,ro {root} && \
         exec \"$0\" -q --rootfs {root} -- echo ran"
    );
    let read_only = || run("unshare", &["-m", "sh", "-c", &read_only, STEP03]);
    for name in ["proc", "sys", "dev"] {
        fs::remove_dir(format!("{root}/{name}")).expect("remove it");
        assert_refused(&read_only(), &format!("{root}/{name}"));
        let report = inside(&root, &["test", "-c", "/dev/null"]);
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert!(Path::new(&root).join(name).is_dir(), "{name}");
    }
    let control = read_only();
    assert_eq!(control.stdout, "ran\n", "the control: {}", control.stderr);
}

#[test]
fn a_link_is_no_mount_point_for_it_would_lead_out_of_the_root() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let outside = folder.join("outside");
    fs::create_dir(&outside).expect("make a folder");
    for name in ["proc", "sys", "dev"] {
        let path = format!("{root}/{name}");
        fs::remove_dir(&path).expect("remove it");
        symlink(&outside, &path).expect("make a link");
        assert_refused(&inside(&root, &["echo", "ran"]), &path);
        fs::remove_file(&path).expect("remove the link");
        fs::create_dir(&path).expect("make it again");
    }
    assert_eq!(inside(&root, &["echo", "ran"]).stdout, "ran\n", "the control");
}

#[test]
fn the_folder_may_have_any_name_and_be_given_by_any_path() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let plain = own_root(&folder);
    let name = "ein Würzel, mit Raum:x\\y";
    fs::rename(plain, folder.join(name)).expect("rename it");
    symlink(name, folder.join("link")).expect("make a link");
    let absolute = folder.text(name);
    for root in [&*absolute, name, "./link/../link", "link"] {
        let flags = ["-q", "--rootfs", root, "--", "ls", "/etc/os-release"];
        let report = run_in(STEP03, &flags, folder.path(), &[]);
        assert_eq!(report.stdout, "/etc/os-release\n", "{}", report.stderr);
    }
    let flags = ["-q", "--rootfs", name, "--", "true"];
    let control = run_in(STEP03, &flags, "/".as_ref(), &[]);
    assert_eq!(control.status, 125, "the control: it is not there");
}

/// A copy of the rung in a target folder of its own, without a rootfs.
fn fresh_copy(folder: &Folder, profile: &str) -> String {
    fs::create_dir(folder.join(profile)).expect("make a folder");
    let copy = folder.text(&format!("{profile}/step03"));
    // By another program: a file that this one still has open for writing,
    // in a child that a test starts meanwhile, could not be executed.
    let status = witness::command("cp").arg(STEP03).arg(&copy).status();
    assert!(status.expect("start cp").success());
    copy
}

#[test]
fn the_default_root_is_made_on_first_need_beside_the_profile_folder() {
    let _machine = Machine::new();
    for (profile, place) in [("debug", ""), ("elsewhere", "elsewhere")] {
        let folder = Folder::new();
        let step03 = fresh_copy(&folder, profile);
        let flags = ["-q", "--", "cat", "/etc/os-release"];
        let first = run_in(&step03, &flags, "/".as_ref(), &[]);
        assert!(first.stdout.contains("ID=blindfolds"), "{}", first.stderr);
        assert!(first.stderr.starts_with("workshop: made "));
        assert!(folder.join(place).join("rootfs/bin/sh").exists());
        let second = run_in(&step03, &flags, "/".as_ref(), &[]);
        assert_eq!(second.stdout, first.stdout);
        assert_eq!(second.stderr, "", "the control: it is there already");
    }
}

/// As `cargo install` leaves it: a folder `bin` is for programs alone.
#[test]
fn an_installed_rung_keeps_its_root_among_a_persons_data() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let step03 = fresh_copy(&folder, "bin");
    let [data, home] = ["data", "home"].map(|name| folder.text(name));
    let run = |data: &str, home: &str| {
        let variables = [("XDG_DATA_HOME", data), ("HOME", home)];
        let flags = ["-q", "--", "cat", "/etc/os-release"];
        run_in(&step03, &flags, "/".as_ref(), &variables)
    };
    for (data, home, place) in [
        (&*data, &*home, "data/workshop/rootfs"),
        ("", &home, "home/.local/share/workshop/rootfs"),
    ] {
        let report = run(data, home);
        assert!(report.stdout.contains("ID=blindfolds"), "{place}");
        assert!(folder.join(place).join("bin/sh").exists(), "{place}");
        let again = run(data, home);
        assert_eq!(again.stderr, "", "the control: it is there already");
    }
    let report = run("", "");
    assert_refused(&report, "HOME");
    assert!(report.stderr.contains("--rootfs DIR"), "{}", report.stderr);
    assert_eq!(names(folder.path()), ["bin", "data", "home"]);
    assert_eq!(names(&folder.join("bin")), ["step03"]);
}

#[test]
fn of_eight_that_need_it_at_once_one_makes_it() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let step03 = fresh_copy(&folder, "debug");
    let start = |_| {
        let mut command = Command::new(&step03);
        command.args(["-q", "--", "echo", "ran"]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("start a copy")
    };
    let started: Vec<_> = (0..8).map(start).collect();
    let mut makers = 0;
    for child in started {
        let output = child.wait_with_output().expect("wait for it");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(output.stdout, b"ran\n");
        makers += said.matches("workshop: made ").count();
    }
    assert_eq!(makers, 1);
    assert_eq!(names(folder.path()), ["debug", "rootfs"], "no half-made one");
}

#[test]
fn a_default_root_that_cannot_be_made_is_one_error() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let step03 = fresh_copy(&folder, "debug");
    let it = folder.text("");
    let script = format!(
        "mount --bind {it} {it} && mount -o remount,bind,ro {it} && \
         exec \"$0\" -q -- echo ran"
    );
    let report = run("unshare", &["-m", "sh", "-c", &script, &step03]);
    assert_refused(&report, "rootfs");
    assert!(report.stderr.contains("Read-only"), "{}", report.stderr);
    assert_eq!(names(folder.path()), ["debug"]);
    assert_eq!(run(&step03, &["-q", "--", "true"]).status, 0, "the control");
}
