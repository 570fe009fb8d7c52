//! `step11 run IMAGE`, and what an image says of itself.

use witness::{Machine, Report, run};

use crate::imported_image::Beside;
use crate::{STEP11, new_name};

const SAYS: &str = r#"{
    "Env": ["FROM=image"], "User": "7:8", "WorkingDir": "/tmp",
    "Entrypoint": ["sh", "-c"], "Cmd": ["echo $FROM; pwd; id -u; id -g"]
}"#;

fn step11(beside: &Beside, words: &[&str]) -> Report {
    run(beside.0.path(), words)
}

#[test]
fn the_first_word_may_be_an_image() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP11);
    beside.image("thing", "docker.io/team/thing:1", SAYS);
    let usual = ["run", "-q", "--rm", "--network", "none"];
    for (words, answer) in [
        (&["thing"][..], "image\n/tmp\n7\n8\n"),
        (&["team/thing:1"], "image\n/tmp\n7\n8\n"),
        (&["thing", "echo $0 $FROM", "x"], "x image\n"),
        (&["--user", "0", "thing", "id -u"], "0\n"),
        (&["--", "thing", "cat /mark"], "thing\n"),
        // The controls: a program of the same root, and of another image.
        (&["--image", "thing", "echo thing"], "thing\n"),
    ] {
        let report = step11(&beside, &[&usual[..], words].concat());
        let said = (&*report.stdout, &*report.stderr);
        assert_eq!(said, (answer, ""), "{words:?}");
    }
}

#[test]
fn what_it_says_holds_for_exec_too() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP11);
    beside.image("thing", "", SAYS);
    let name = new_name();
    let flags = ["run", "-qd", "--network", "none", "--name", &name];
    let report =
        step11(&beside, &[&flags[..], &["thing", "sleep 1000"]].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    let look = "echo $FROM; pwd; id -u; id -g";
    let exec = step11(&beside, &["exec", &name, "sh", "-c", look]);
    let root = step11(&beside, &["exec", "-u", "0", &name, "id", "-u"]);
    let ended = step11(&beside, &["rm", "--force", &name]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(exec.stdout, "image\n/tmp\n7\n8\n", "{}", exec.stderr);
    assert_eq!(root.stdout, "0\n", "the control: {}", root.stderr);
}

#[test]
fn an_image_that_is_not_here_is_told_from_a_program_that_is_not() {
    let _machine = Machine::new();
    let usual = ["run", "-q", "--rm", "--network", "none"];
    let advice = "docker://nothing-like-it";
    let report = run(STEP11, &[&usual[..], &["nothing-like-it"]].concat());
    assert_eq!(report.status, 127);
    assert!(report.stderr.contains(advice), "{}", report.stderr);
    let shell = ["sh", "-c", "nothing-like-it"];
    let report = run(STEP11, &[&usual[..], &shell].concat());
    assert_eq!(report.status, 127, "the control");
    assert!(!report.stderr.contains(advice), "{}", report.stderr);
}

#[test]
fn images_are_listed() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP11);
    let empty = step11(&beside, &["images"]);
    assert!(empty.stderr.contains("docker://NAME"), "{}", empty.stderr);
    beside.image("thing", "docker.io/team/thing:1", SAYS);
    beside.image("evil", "x\\u001b[2J", "{}");
    let names = step11(&beside, &["images", "-q"]).stdout;
    assert_eq!(names, "evil\nthing\n");
    let table = step11(&beside, &["images"]).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[1].contains("\\u{1b}[2J"), "{table}");
    for word in ["thing", "2", "sh -c", "docker.io/team/thing:1"] {
        assert!(lines[2].contains(word), "{table}");
    }
}
