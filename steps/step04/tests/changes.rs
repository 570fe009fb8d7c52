//! step04: `--changes` lists exactly what the container has done.

#[path = "../../step03/tests/own_root/mod.rs"]
mod own_root;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, mknod};
use own_root::own_root;
use witness::{Folder, Machine, run, start};

const STEP04: &str = env!("CARGO_BIN_EXE_step04");

/// An image with this in it:
///
/// ```text
/// /d/one   /d/two   /d/sub/deep/file   /d/sub/other   /empty/
/// ```
fn image(folder: &Folder) -> String {
    let image = own_root(folder);
    for name in ["d/sub/deep", "empty"] {
        let path = Path::new(&image).join(name);
        fs::create_dir_all(path).expect("make a folder");
    }
    for name in ["d/one", "d/two", "d/sub/deep/file", "d/sub/other"] {
        let path = Path::new(&image).join(name);
        fs::write(path, name).expect("write a file");
    }
    image
}

/// What the script changes, as it is listed: without a script, nothing.
fn changes(layers: &[&str], script: &str) -> Vec<String> {
    let mut arguments = vec!["-q", "--changes"];
    layers.iter().for_each(|layer| arguments.extend(["--image", layer]));
    arguments.extend(["--", "sh", "-ec", script]);
    let report = run(STEP04, &arguments);
    assert_eq!((report.status, &*report.stdout), (0, ""), "{report:?}");
    report.stderr.lines().map(String::from).collect()
}

/// Each script with the list that it must lead to, in lines.
fn assert_changes(cases: &[(&str, &str)]) {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = image(&folder);
    for (script, wanted) in cases {
        let wanted = wanted.split(", ").filter(|line| !line.is_empty());
        let wanted: Vec<_> = wanted.collect();
        assert_eq!(changes(&[&image], script), wanted, "{script}");
    }
}

#[test]
fn what_changes_nothing_lists_nothing() {
    assert_changes(&[
        ("true", ""),
        ("cat /d/one /d/sub/* 2>/dev/null >/dev/null || true", ""),
        ("echo x >/new; rm /new", ""),
        ("echo x >/dev/shm/new; mkdir /dev/new", ""),
    ]);
}

#[test]
fn files_that_are_added_changed_and_deleted() {
    assert_changes(&[
        ("echo x >/new", "A /new"),
        ("echo x >/d/new", "C /d, A /d/new"),
        ("echo x >/d/sub/new", "C /d, C /d/sub, A /d/sub/new"),
        ("echo x >>/d/one", "C /d, C /d/one"),
        ("rm /d/one", "C /d, D /d/one"),
        ("rm /d/one; echo x >/d/one", "C /d, C /d/one"),
        ("chmod 600 /d/one", "C /d, C /d/one"),
        ("chown 7:7 /d/one", "C /d, C /d/one"),
        ("touch /d/one", "C /d, C /d/one"),
        ("ln -s /d/one /link", "A /link"),
        ("ln /d/one /hard", "C /d, C /d/one, A /hard"),
        ("mv /d/one /d/moved", "C /d, A /d/moved, D /d/one"),
        ("mv /d/one /d/two", "C /d, D /d/one, C /d/two"),
        ("mkfifo /fifo", "A /fifo"),
        ("echo x >'/ein Name'", "A /ein Name"),
    ]);
}

#[test]
fn folders_that_are_added_changed_and_deleted() {
    assert_changes(&[
        ("mkdir -p /new/deep", "A /new, A /new/deep"),
        ("chmod 700 /d/sub", "C /d, C /d/sub"),
        // What was in it is not listed one by one: it went with the folder.
        ("rm -r /d", "D /d"),
        ("rmdir /empty", "D /empty"),
        ("rm -r /d; echo x >/d", "C /d"),
        ("rm /d/one; mkdir /d/one", "C /d, C /d/one"),
        (
            "rm /d/one; mkdir /d/one; echo x >/d/one/two",
            "C /d, C /d/one, A /d/one/two",
        ),
        (
            "mv /d/sub /moved",
            "C /d, D /d/sub, A /moved, A /moved/deep, A /moved/deep/file, \
             A /moved/other",
        ),
    ]);
}

#[test]
fn a_folder_that_is_deleted_and_made_again_hides_what_was_in_it() {
    let all = "C /d, D /d/one, D /d/sub, D /d/two";
    assert_changes(&[
        ("rm -r /d; mkdir /d", all),
        (
            "rm -r /d; mkdir /d; echo x >/d/one",
            "C /d, C /d/one, D /d/sub, D /d/two",
        ),
        (
            "rm -r /d; mkdir /d; echo x >/d/new",
            "C /d, A /d/new, D /d/one, D /d/sub, D /d/two",
        ),
        // The mark is on /d alone, and counts further down as well.
        (
            "rm -r /d; mkdir -p /d/sub/deep",
            "C /d, D /d/one, C /d/sub, C /d/sub/deep, D /d/sub/deep/file, \
             D /d/sub/other, D /d/two",
        ),
        ("rm -r /empty; mkdir /empty", "C /empty"),
    ]);
}

#[test]
fn the_layers_count_as_they_are_seen_together() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (low, high) = (image(&folder), folder.text("high"));
    // The second layer deletes /d/one and /empty, adds /d/high, and has a
    // file where the first one has a folder.
    fs::create_dir_all(format!("{high}/d")).expect("make a layer");
    for name in ["d/one", "empty"] {
        let path = format!("{high}/{name}");
        mknod(Path::new(&path), SFlag::S_IFCHR, Mode::empty(), 0)
            .expect("make a whiteout");
    }
    fs::write(format!("{high}/d/high"), "").expect("write a file");
    fs::write(format!("{high}/d/sub"), "").expect("write a file");
    for (script, low_alone, both) in [
        ("echo x >/d/one", "C /d, C /d/one", "C /d, A /d/one"),
        ("echo x >/d/high", "C /d, A /d/high", "C /d, C /d/high"),
        ("rm -rf /empty; mkdir /empty", "C /empty", "A /empty"),
        (
            "rm -r /d; mkdir /d",
            "C /d, D /d/one, D /d/sub, D /d/two",
            "C /d, D /d/high, D /d/sub, D /d/two",
        ),
        (
            "rm -r /d/sub; mkdir /d/sub; echo x >/d/sub/other",
            "C /d, C /d/sub, D /d/sub/deep, C /d/sub/other",
            "C /d, C /d/sub, A /d/sub/other",
        ),
    ] {
        for (layers, wanted) in
            [(&[&*low][..], low_alone), (&[&*low, &*high], both)]
        {
            let wanted: Vec<_> = wanted.split(", ").collect();
            assert_eq!(changes(layers, script), wanted, "{script}");
        }
    }
}

#[test]
fn a_link_in_the_image_is_not_followed() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = image(&folder);
    // On the machine they lead to names that the image has not got.
    symlink("d", format!("{image}/inner")).expect("make a link");
    symlink(folder.path(), format!("{image}/outer")).expect("make a link");
    fs::write(folder.join("secret"), "").expect("write a file");
    for (link, names) in [("inner", "one"), ("outer", "secret")] {
        let script =
            format!("rm /{link}; mkdir /{link}; echo x >/{link}/{names}");
        let wanted = [format!("C /{link}"), format!("A /{link}/{names}")];
        assert_eq!(changes(&[&image], &script), wanted);
    }
    let control = "rm -r /d; mkdir /d; echo x >/d/one";
    let control = changes(&[&image], control);
    assert!(control.contains(&"C /d/one".into()), "the control");
}

#[test]
fn a_name_cannot_forge_a_line_or_speak_to_the_terminal() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let script = r#"touch "$(printf 'a\033[31m\nD b')" plain"#;
    let script = format!("mkdir /new; cd /new; {script}");
    let found = changes(&[&image(&folder)], &script);
    let forged = r"A /new/a\u{1b}[31m\nD b";
    assert_eq!(found, ["A /new", forged, "A /new/plain"]);
}

#[test]
fn they_are_listed_however_the_command_ends_and_only_if_asked_for() {
    let _machine = Machine::new();
    for (end, status) in [("exit 3", 3), ("kill -9 $$; sleep 9", 137)] {
        let script = format!("sh -c 'echo out; echo x >/new; {end}'; exit $?");
        let script = ["--", "sh", "-c", &script];
        let report =
            run(STEP04, &[&["-q", "--changes"], &script[..]].concat());
        assert_eq!((report.status, &*report.stdout), (status, "out\n"));
        assert!(report.stderr.ends_with("A /new\n"), "{}", report.stderr);
        let control = run(STEP04, &[&["-q"], &script[..]].concat());
        assert!(!control.stderr.contains("A /new"), "the control");
    }
    let flags = ["-q", "--changes", "--init"];
    let mut process = start(STEP04, &flags, "echo x >/new; echo written");
    assert_eq!(process.hear(), "written");
    process.signal(Signal::SIGTERM);
    let report = process.wait();
    assert_eq!(report.status, 143);
    assert!(report.stderr.ends_with("A /new\n"), "{}", report.stderr);
}

#[test]
fn kept_writes_are_listed_again_and_a_volumes_place_is_one_of_them() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (image, upper) = (image(&folder), folder.text("kept"));
    let volume = format!("{}:/made/here", folder.text(""));
    let flags = ["-q", "--changes", "--image", &image, "--upper", &upper];
    let volumes = ["-v", &volume];
    let step04 = |more: &[&str], script: &str| {
        let command = ["--", "sh", "-c", script];
        run(STEP04, &[&flags[..], more, &command].concat()).stderr
    };
    assert_eq!(step04(&[], "rm /d/one"), "C /d\nD /d/one\n");
    let both = "C /d\nD /d/one\nA /made\nA /made/here\n";
    assert_eq!(step04(&volumes, "echo x >/made/here/file"), both);
    assert_eq!(step04(&[], "echo x >/d/one"), both.replace("D", "C"));
    assert!(folder.join("file").exists(), "the control: a real write");
}

/// A container decides what it has written, and not how it has ended.
#[test]
fn folders_deeper_than_any_path_are_listed_and_change_no_status() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = image(&folder);
    // 500 names of ten bytes and a slash: PATH_MAX is 4096.
    let script = "i=0; while [ $i -lt 500 ]; do mkdir dddddddddd; cd -P dddddddddd || exit 1; \
        i=$((i+1)); done; exit 7";
    let flags = ["-q", "--changes", "--image", &image];
    // With fewer descriptors than there are folders.
    let limited = "ulimit -n 256; exec \"$0\" \"$@\"";
    let command = ["--", "sh", "-c", script];
    let report =
        run("sh", &[&["-c", limited, STEP04][..], &flags, &command].concat());
    assert_eq!(report.status, 7, "{}", report.stderr);
    let deepest = report.stderr.lines().map(str::len).max();
    assert!(deepest > Some(4096), "the control: {deepest:?}");
    assert_eq!(report.stderr.lines().count(), 500);
}
