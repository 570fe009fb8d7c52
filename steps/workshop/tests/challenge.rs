//! `challenge`, without the rungs: `.ci/challenges` tries the looks on those.
//! Here a script is in step00's place, and another in that of cargo, which
//! names it as what it has built. (Nothing of this is elevated: step00.)

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use witness::Folder;
use workshop::ladder::LADDER;

/// A step00 that can be nice, in a child as the real one, and `sh` can.
const NICE: &str = r#"#!/bin/sh
niceness=0
while [ "$1" != -- ]; do
    case $1 in --nice) own=$(nice); niceness=$(($2 - own)); shift ;; esac
    shift
done
shift
nice -n "$niceness" "$@"
exit $?
"#;
const CARGO: &str = r#"#!/bin/sh
echo '{"executable": "'$PWD'/rung"}'
"#;

struct Room(Folder);

impl Room {
    fn new() -> Room {
        let room = Room(Folder::new());
        room.put("cargo", CARGO);
        room
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, text).expect("write it");
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("make it executable");
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.arg("challenge").args(arguments);
        command.arg("--repository").arg(self.0.path());
        command.env("CARGO", self.0.join("cargo"));
        let output = witness::output(command.env_remove("RUST_BACKTRACE"));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        let is_wide = |line: &str| line.chars().count() > 80;
        assert!(!text.lines().any(is_wide), "over 80 columns: {text}");
        (output.status.success(), text)
    }

    fn says(&self, arguments: &[&str]) -> String {
        let (is_ok, text) = self.run(arguments);
        assert!(is_ok, "{text}");
        text
    }
}

#[test]
fn they_are_listed_and_told() {
    let room = Room::new();
    let list = room.says(&[]);
    for rung in LADDER {
        let told = room.says(&[&rung.number.to_string()]);
        for one in rung.challenges {
            assert!(list.contains(one.name), "{list}");
            assert!(told.contains(&format!("--check {}", one.name)), "{told}");
            assert!(told.contains(one.text(rung)), "{told}");
            assert!(!told.contains(one.hints(rung)[0]), "{told}");
        }
    }
    assert!(!list.contains("  met  "), "{list}");
    let (is_ok, text) = room.run(&["3", "--check", "fly"]);
    assert!(!is_ok && text.contains("tmpfs"), "{text}");
}

/// The table of the book has a row for each, in their order.
#[test]
fn the_book_lists_them() {
    let page = include_str!("../../../book/src/beyond/challenges.md");
    let rows = page.lines().filter(|line| line.starts_with("| step"));
    let rows = rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let mut cell = || cells.next().expect("a cell").to_owned();
        (cell(), cell())
    });
    let all = LADDER.iter().map(|rung| {
        let names = rung.challenges.iter().map(|one| one.name);
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        (rung.name(), names.join(", "))
    });
    assert_eq!(rows.collect::<Vec<_>>(), all.collect::<Vec<_>>());
}

/// Where a hunk of a patch no longer fits: its file, and the first line.
fn misfits(patch: &str, read: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    for file in patch.split("\n--- a/").skip(1) {
        let (name, hunks) = file.split_once('\n').expect("a name");
        let text = read(name);
        for hunk in hunks.split("\n@@").skip(1) {
            let lines = hunk.lines().skip(1);
            let old = lines.filter(|line| line.starts_with([' ', '-']));
            let old: String = old.map(|l| format!("{}\n", &l[1..])).collect();
            if !text.contains(&old) {
                let first = old.lines().next().unwrap_or_default();
                found.push(format!("{name}: {first}"));
            }
        }
    }
    found
}

#[test]
fn the_references_fit_the_rungs() {
    if std::env::var_os("WORKSHOP_UNTOUCHED").is_none() {
        return; // a learner may have begun
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let read = |name: &str| fs::read_to_string(format!("{root}{name}"));
    for rung in LADDER {
        for one in rung.challenges {
            let (rung, name) = (rung.name(), one.name);
            let path =
                format!("steps/{rung}/exercise/challenges/{name}.patch");
            let patch = read(&path).expect("read the patch");
            let source = |name: &str| read(name).expect("read the source");
            assert_eq!(misfits(&patch, source), [""; 0], "{path}");
            // The control: of another text it would be noticed.
            let other = misfits(&patch, |_| "something else".into());
            assert!(!other.is_empty(), "{path}");
        }
    }
}

#[test]
fn there_is_one_hint_more_each_time() {
    let room = Room::new();
    let first = room.says(&["0", "--hint"]);
    assert!(first.contains("step00, alarm: hint 1 of 2"), "{first}");
    assert!(!first.contains("hint 2 of 2"), "{first}");
    let other = room.says(&["0", "--hint", "nice"]);
    assert!(other.contains("step00, nice: hint 1 of"), "{other}");
    let second = room.says(&["0", "--hint", "alarm"]);
    assert!(second.contains("hint 1 of 2"), "{second}");
    assert!(second.contains("hint 2 of 2"), "{second}");
    let patch = "steps/step00/exercise/challenges/alarm.patch";
    assert!(second.contains(patch), "{second}");
}

#[test]
fn what_is_met_is_known_from_then_on() {
    let room = Room::new();
    if Command::new("nice").output().is_err() {
        return; // a machine with next to nothing on it
    }
    room.put("rung", &NICE.replace("nice -n", "true -n"));
    let (is_ok, text) = room.run(&["0", "--check", "nice"]);
    assert!(!is_ok && text.contains("  NOT  "), "{text}");
    assert!(text.contains("challenge 0 --hint nice"), "{text}");
    assert!(!room.says(&[]).contains("  met  "));
    room.put("rung", NICE);
    let text = room.says(&["0", "--check", "nice"]);
    assert!(text.contains("Met."), "{text}");
    assert!(room.says(&[]).contains("  met  step00  nice"));
    // The next one that is not met, where none is named.
    room.put("cargo", "#!/bin/sh\nexit 101\n");
    let (_, text) = room.run(&["0", "--check"]);
    assert!(text.contains("step00, alarm: your rung"), "{text}");
}

#[test]
fn what_does_not_compile_is_not_tried() {
    let room = Room::new();
    room.put("cargo", "#!/bin/sh\nexit 101\n");
    let (is_ok, text) = room.run(&["0", "--check"]);
    assert!(!is_ok && text.contains("does not compile yet"), "{text}");
}
