//! `class`: what a room hands in, among it what nobody should.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use nix::sys::stat::Mode;
use witness::Folder;
use workshop::ladder::LADDER;

const PAGE: &str = include_str!("../../../book/src/beyond/json.md");

fn run(arguments: &[&str], repository: &Folder) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    command.arg("class").args(arguments);
    command.arg("--repository").arg(repository.path());
    let output = witness::output(command.env_remove("RUST_BACKTRACE"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).expect("text"))
}

fn says(arguments: &[&str]) -> String {
    let (is_ok, text) = run(arguments, &Folder::new());
    assert!(is_ok, "{text}");
    text
}

fn path(folder: &Folder) -> &str {
    folder.path().to_str().expect("a plain path")
}

/// A progress file with these rungs.
fn progress(rungs: &str) -> String {
    format!("{{\"rungs\": {{{rungs}}}}}")
}

/// The line of a learner.
fn line<'a>(page: &'a str, name: &str) -> &'a str {
    let mut lines = page.lines();
    lines.find(|line| line.starts_with(name)).unwrap_or_default()
}

#[test]
fn who_stands_where() {
    let room = Folder::new();
    let write = |name: &str, rungs: &str| {
        let path = room.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make");
        fs::write(path, progress(rungs)).expect("hand in");
    };
    let done = r#""step00": {"done": true, "tries": 3}"#;
    let broken = r#""step00": {"done": true, "broken": true, "tries": 9}"#;
    let begun = r#""step00": {"tries": 2, "hints": {"fork": 3}}"#;
    write("ada.json", done);
    write("bob/.workshop.json", broken);
    write("room2/cleo/clone/.workshop.json", begun);
    write("dora.json", r#""step03": {"tries": 12}, "step99": {"tries": 1}"#);
    // The controls: what is none, and what is too deep.
    write("bob/notes.json", done);
    write(".hidden.json", done);
    write("a/b/c/d/.workshop.json", done);
    fs::write(room.join("README"), "no progress").expect("write");

    let page = says(&[path(&room)]);
    let words = |name| line(&page, name).split_whitespace().skip(1);
    let cells = |name| words(name).collect::<Vec<_>>();
    assert_eq!(cells("ada")[0], "+", "{page}");
    assert_eq!(cells("bob")[0], "x", "{page}");
    assert_eq!(cells("room2/cleo/clone")[0], "2", "{page}");
    assert_eq!(cells("room2/cleo/clone").last(), Some(&"3"), "{page}");
    assert_eq!(cells("dora")[..4], [".", ".", ".", "12!"], "{page}");
    assert_eq!(cells("done")[..2], ["2", "0"], "{page}");
    assert_eq!(cells("begun")[..4], ["1", "0", "0", "1"], "{page}");
    assert_eq!(cells("stuck")[3], "1", "{page}");
    assert!(page.contains("4 in the room"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");

    let json = says(&[path(&room), "--json"]);
    let refused = room.join("broken.json");
    fs::write(refused, "{").expect("write");
    let all = says(&[path(&room), "--json"]);
    witness::shape::compare(PAGE, "cargo workshop class", &all);
    assert!(json.contains("\"state\": \"stuck\""), "{json}");
    assert_eq!(json.matches("\"untouched\": ").count(), LADDER.len());
}

#[test]
fn what_strangers_hand_in_is_named_and_does_no_harm() {
    let room = Folder::new();
    let outside = Folder::new();
    let write = |name: &[u8], text: &[u8]| {
        let name = std::ffi::OsStr::from_bytes(name);
        fs::write(room.path().join(name), text).expect("hand in");
    };
    let done = progress(r#""step00": {"done": true}"#);
    write(b"good.json", done.as_bytes());
    write(b"nonsense.json", b"secret words");
    write(b"list.json", b"[1, 2]");
    write(b"bytes.json", b"{\"rungs\": \"\xff\"}");
    write(b"minus.json", br#"{"rungs": {"step00": {"tries": -1}}}"#);
    let most = r#""step00": {"tries": 4294967295,
        "hints": {"a": 4294967295, "b": 4294967295}}"#;
    write(b"most.json", progress(most).as_bytes());
    let deep = format!("{{\"x\": {}", "[".repeat(60_000));
    write(b"deep.json", deep.as_bytes());
    write(b"long.json", format!("{done}{}", " ".repeat(70_000)).as_bytes());
    write(b"\x1b[31mred\n\xff.json", done.as_bytes());
    write("\u{202e}turned.json".as_bytes(), done.as_bytes());
    write(&[b"n".repeat(200), b".json".to_vec()].concat(), done.as_bytes());
    nix::unistd::mkfifo(&room.join("pipe.json"), Mode::S_IRWXU)
        .expect("make a pipe");
    fs::create_dir(room.join("folder.json")).expect("make a folder");
    fs::write(outside.join(".workshop.json"), &done).expect("write");
    symlink(outside.join(".workshop.json"), room.join("link.json"))
        .expect("make a link");
    symlink(outside.path(), room.join("linked")).expect("make a link");
    symlink(".", room.join("circle")).expect("make a link");

    let page = says(&[path(&room)]);
    assert!(line(&page, "good").contains('+'), "{page}");
    for (name, why) in [
        ("nonsense.json", "this is no JSON"),
        ("list.json", "something else"),
        ("bytes.json", "no JSON"),
        ("minus.json", "something else"),
        ("deep.json", "too early"),
        ("long.json", "more than 64 KiB"),
        ("pipe.json", "no ordinary file"),
        ("folder.json", "no ordinary file"),
        ("link.json", "not followed"),
        ("linked", "not followed"),
        ("circle", "not followed"),
    ] {
        let line = line(&page, &format!("not read: {name}: "));
        assert!(line.contains(why), "{name}: {page}");
    }
    assert!(line(&page, "most").ends_with("9999"), "{page}");
    assert!(line(&page, "most").contains("99!"), "{page}");
    assert!(!page.contains("secret"), "{page}");
    assert!(line(&page, "nnnn").starts_with("nnnnnnnnnnnnnnnnnnn…"), "{page}");
    let is_plain = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    assert!(page.chars().all(is_plain), "{page:?}");
    assert!(page.contains("5 in the room"), "{page}");
    let wide = page.lines().filter(|line| !line.starts_with("not read"));
    assert!(wide.clone().all(|line| line.chars().count() <= 80), "{page}");
    says(&[path(&room), "--json"]);
}

#[test]
fn an_empty_room_says_how_to_hand_in() {
    let room = Folder::new();
    let page = says(&[path(&room)]);
    assert!(page.contains("class --hand-in FOLDER"), "{page}");
    let gone = room.join("gone");
    let gone = gone.to_str().expect("a plain path");
    let (is_ok, text) = run(&[gone], &Folder::new());
    assert!(!is_ok && text.contains("read "), "{text}");
    assert!(!run(&[], &Folder::new()).0, "a folder must be named");
}

#[test]
fn what_is_handed_in_is_ones_own() {
    let (room, mine, other) = (Folder::new(), Folder::new(), Folder::new());
    let hand_in = |repository: &Folder, name: &str| {
        run(&["--hand-in", path(&room), "--as", name], repository)
    };
    let own = progress(r#""step00": {"done": true, "tries": 1}"#);
    fs::write(mine.join(".workshop.json"), own).expect("write");
    let (is_ok, text) = hand_in(&mine, "ada");
    assert!(is_ok, "{text}");
    let page = says(&[path(&room)]);
    assert!(line(&page, "ada").contains('+'), "{page}");
    // Again, with what has been done since; no other file is left.
    let text = fs::read_to_string(mine.join(".workshop.json"));
    let text = text.expect("read").replace("step00", "step01");
    fs::write(mine.join(".workshop.json"), text).expect("write");
    assert!(hand_in(&mine, "ada").0);
    let page = says(&[path(&room)]);
    assert!(line(&page, "ada").contains(".   +"), "{page}");
    assert_eq!(fs::read_dir(room.path()).expect("read").count(), 1);

    // Another machine's learner of the same name.
    let before = fs::read(room.join("ada.json")).expect("read");
    let (is_ok, text) = hand_in(&other, "ada");
    assert!(!is_ok && text.contains("--as NAME"), "{text}");
    assert!(text.contains("somebody else"), "{text}");
    assert_eq!(fs::read(room.join("ada.json")).expect("read"), before);
    assert!(hand_in(&other, "bob").0, "the control");

    // Nothing is written through a link, or over what is no progress file.
    let target = other.join("target");
    fs::write(&target, "mine").expect("write");
    symlink(&target, room.join("eve.json")).expect("make a link");
    assert!(!hand_in(&other, "eve").0);
    assert_eq!(fs::read_to_string(target).expect("read"), "mine");
    fs::write(room.join("fay.json"), "notes").expect("write");
    assert!(!hand_in(&other, "fay").0);

    for name in ["", "..", ".x", "a/b", "a\nb", "\u{202e}", &"n".repeat(65)] {
        let (is_ok, text) = hand_in(&other, name);
        assert!(!is_ok && text.contains("no name to hand in"), "{text}");
    }
    // Without a name it is the one that the machine knows.
    let (is_ok, text) = run(&["--hand-in", path(&room)], &mine);
    assert!(is_ok && text.contains(".json"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_and_nothing_is_left() {
    if nix::unistd::geteuid().is_root() {
        return; // root may write anywhere
    }
    let (room, mine) = (Folder::new(), Folder::new());
    let mode = |mode| Permissions::from_mode(mode);
    fs::set_permissions(room.path(), mode(0o555)).expect("close it");
    let (is_ok, text) = run(&["--hand-in", path(&room), "--as", "ada"], &mine);
    fs::set_permissions(room.path(), mode(0o755)).expect("open it");
    assert!(!is_ok && text.contains("ada.json"), "{text}");
    assert_eq!(fs::read_dir(room.path()).expect("read").count(), 0);
}
