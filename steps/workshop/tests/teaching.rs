//! `hint`, `solution`, `reset`, and `workshop` alone, on a copy of the
//! exercises: the learner's are not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use witness::Folder;
use witness::terminal::Terminal;
use workshop::ladder::{LADDER, LAST, Rung};

/// A repository with nothing in it but the untouched exercises.
struct Copy(Folder);

impl Copy {
    fn new() -> Copy {
        let copy = Copy(Folder::new());
        for Rung { number, .. } in LADDER {
            let path = copy.exercise(*number);
            fs::create_dir_all(path.parent().expect("src")).expect("make it");
            fs::copy(untouched(*number), path).expect("copy an exercise");
        }
        copy
    }

    fn exercise(&self, number: u8) -> PathBuf {
        self.0.join(&format!("steps/step{number:02}/src/exercise.rs"))
    }

    /// Runs the companion on it: did it succeed, and what did it say?
    fn workshop(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(arguments).arg("--repository").arg(self.0.path());
        let output = witness::output(command.env_remove("RUST_BACKTRACE"));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        let is_wide = |line: &str| line.chars().count() > 80;
        assert!(!text.lines().any(is_wide), "over 80 columns: {text}");
        (output.status.success(), text)
    }

    /// The same, when it must succeed.
    fn says(&self, arguments: &[&str]) -> String {
        let (is_ok, text) = self.workshop(arguments);
        assert!(is_ok, "{arguments:?}: {text}");
        text
    }

    /// The same, when it must not.
    fn refuses(&self, arguments: &[&str]) -> String {
        let (is_ok, text) = self.workshop(arguments);
        assert!(!is_ok, "{arguments:?}: {text}");
        text
    }
}

/// The copy of an exercise from which `reset` is compiled.
fn untouched(number: u8) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.join(format!("../step{number:02}/exercise/untouched.rs"))
}

#[test]
fn reset_brings_back_what_is_in_the_repository() {
    if std::env::var_os("WORKSHOP_UNTOUCHED").is_none() {
        return; // a learner may have begun
    }
    for Rung { number, .. } in LADDER {
        let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let own = format!("step{number:02}/src/exercise.rs");
        let read = |path: PathBuf| fs::read_to_string(path).expect("read it");
        let (own, copy) = (steps.join(own), untouched(*number));
        let advice = format!("cp {} {}", own.display(), copy.display());
        assert!(read(own) == read(copy), "they differ; try: {advice}");
    }
}

#[test]
fn there_is_one_hint_more_each_time() {
    let copy = Copy::new();
    let first = copy.says(&["hint", "3"]);
    assert!(first.contains("step03, make_private: hint 1 of 3"), "{first}");
    assert!(!first.contains("hint 2 of 3"), "{first}");
    let second = copy.says(&["hint", "step03"]);
    assert!(second.contains("hint 1 of 3"), "{second}");
    assert!(second.contains("hint 2 of 3"), "{second}");
    copy.says(&["hint", "3"]);
    let last = copy.says(&["hint", "3"]);
    assert!(last.contains("cargo workshop solution 3"), "{last}");

    // What is written needs no hint, unless one is asked for by name.
    let text = fs::read_to_string(copy.exercise(3)).expect("read it");
    let text = text.replace("unwritten(\"make_private\"", "written(\"\"");
    fs::write(copy.exercise(3), text).expect("write it");
    let next = copy.says(&["hint", "3"]);
    assert!(next.contains("bind_onto_itself: hint 1"), "{next}");
    let other = copy.says(&["hint", "3", "pivot"]);
    assert!(other.contains("pivot: hint 1"), "{other}");
    let wrong = copy.refuses(&["hint", "3", "jump"]);
    assert!(wrong.contains("make_private, bind_onto_itself"), "{wrong}");
    let wrong = copy.refuses(&["hint", &format!("{}", LAST + 1)]);
    assert!(wrong.contains(&format!("0 to {LAST}")), "{wrong}");
}

#[test]
fn every_function_has_its_hints() {
    let copy = Copy::new();
    for Rung { number, .. } in LADDER {
        let text = fs::read_to_string(untouched(*number)).expect("read it");
        for call in text.split("unwritten(\"").skip(1) {
            let Some((name, _)) = call.split_once("\", file!())") else {
                continue;
            };
            let said = copy.says(&["hint", &number.to_string(), name]);
            assert!(said.contains(&format!("{name}: hint 1 of")), "{said}");
        }
    }
}

#[test]
fn the_solution_is_for_those_who_have_tried() {
    let copy = Copy::new();
    let said = copy.refuses(&["solution", "1"]);
    assert!(said.contains("try it first"), "{said}");
    let solution = copy.says(&["solution", "1", "--anyway"]);
    assert!(solution.contains("nix::unistd::sethostname"), "{solution}");
    // Those marks are the book's, and the file has some.
    let file = include_str!("../../step01/src/uts.rs");
    assert!(file.contains("ANCHOR"), "the control");
    assert!(!solution.contains("ANCHOR"), "{solution}");
    fs::write(copy.exercise(1), "fn mine() {}\n").expect("write it");
    assert_eq!(copy.says(&["solution", "1"]), solution);
}

#[test]
fn reset_keeps_what_was_there() {
    let copy = Copy::new();
    let said = copy.says(&["reset", "2"]);
    assert!(!said.contains("kept"), "nothing was changed: {said}");
    let own = |name: &str| copy.exercise(2).with_file_name(name);
    for (text, name) in
        [("first", "exercise.kept-1.rs"), ("second", "exercise.kept-2.rs")]
    {
        copy.says(&["hint", "2"]);
        fs::write(copy.exercise(2), text).expect("write it");
        let said = copy.says(&["reset", "2"]);
        assert!(said.contains(name), "{said}");
        assert_eq!(fs::read_to_string(own(name)).expect("kept"), text);
    }
    let back = fs::read(copy.exercise(2)).expect("read it");
    assert_eq!(back, fs::read(untouched(2)).expect("read it"));
    let hint = copy.says(&["hint", "2"]);
    assert!(hint.contains("hint 1 of") && !hint.contains("hint 2 of"));

    fs::remove_file(copy.exercise(2)).expect("lose it");
    let said = copy.refuses(&["hint", "2"]);
    assert!(said.contains("cargo workshop reset 2"), "{said}");
    copy.says(&["reset", "2"]);
    assert!(copy.exercise(2).exists());
}

#[test]
fn start_says_what_to_read_and_what_to_write_and_gives_half() {
    let copy = Copy::new();
    let said = copy.says(&["start", "3"]);
    let order =
        ["1  read", "2  see", "make_private", "pivot  ", "workshop check"];
    let places = order.map(|text| said.find(text).expect(text));
    assert!(places.is_sorted(), "{said}");
    let run = said.find("--features exercise").expect("how to run it");
    assert!(places[4] < run, "check comes first: {said}");
    assert!(said.contains("start 3 --half"), "{said}");
    let read = |number| fs::read_to_string(copy.exercise(number));
    assert!(read(3).expect("read") == LADDER[3].untouched, "only words");

    let said = copy.says(&["start", "3", "--half"]);
    assert!(said.contains("half of it is given"), "{said}");
    assert!(said.contains("make_private      given"), "{said}");
    assert!(said.contains("pivot             yours to write"), "{said}");
    assert!(!said.contains("kept"), "nothing was written: {said}");
    let half = read(3).expect("read it");
    assert_eq!(half.matches("unwritten(\"").count(), 1);
    // It is there already, and that is no try.
    let again = copy.says(&["start", "3", "--half"]);
    assert!(!again.contains("is given now"), "{again}");
    copy.refuses(&["solution", "3"]);

    // What is the learner's own is kept.
    fs::write(copy.exercise(3), "fn mine() {}\n").expect("write it");
    let said = copy.says(&["start", "3", "--half"]);
    assert!(said.contains("yours is kept in"), "{said}");
    let kept = copy.exercise(3).with_file_name("exercise.kept-1.rs");
    assert_eq!(fs::read_to_string(kept).expect("kept"), "fn mine() {}\n");
    assert_eq!(read(3).expect("read it"), half);
    // And half of it is nobody's own.
    let said = copy.says(&["reset", "3"]);
    assert!(!said.contains("kept"), "{said}");

    let said = copy.says(&["start", "4", "--half"]);
    assert!(said.contains("all of it is yours"), "{said}");
    assert!(read(4).expect("read it") == LADDER[4].untouched);
    assert!(copy.says(&["start"]).contains("step00: "), "the next one");
    for Rung { number, .. } in LADDER {
        copy.says(&["start", &number.to_string(), "--half"]);
    }
}

#[test]
fn alone_it_shows_the_ladder_and_what_is_next() {
    let copy = Copy::new();
    let said = copy.says(&[]);
    assert!(said.contains("Next: step00"), "{said}");
    assert!(!said.contains("done"), "{said}");

    let progress = copy.0.join(".workshop.json");
    let done = r#"{"rungs": {"step00": {"done": true}}}"#;
    fs::write(&progress, done).expect("write it");
    fs::write(copy.exercise(1), "fn mine() {}\n").expect("write it");
    let said = copy.says(&[]);
    assert!(said.contains("  done   step00"), "{said}");
    assert!(said.contains("  begun  step01"), "{said}");
    assert!(said.contains("Next: step01"), "{said}");

    // What it took; and what broke since stays done, and is named.
    let broken = r#"{"rungs": {"step00": {"done": true, "broken": true,
        "tries": 4000000000, "hints": {"fork": 1}}}}"#;
    fs::write(&progress, broken).expect("write it");
    let said = copy.says(&[]);
    assert!(said.contains("  broke  step00"), "{said}");
    assert!(said.contains("999 tries, 1 hint\n"), "{said}");
    assert!(said.contains("step00 was done, but its last check"), "{said}");
    assert!(said.contains("Next: step01"), "{said}");

    // As many hints as can be counted: there is none after them.
    let most = r#"{"rungs": {"step00": {"hints": {"fork": 4294967295}}}}"#;
    fs::write(&progress, most).expect("write it");
    let said = copy.says(&["hint", "0", "fork"]);
    assert!(said.contains("That is all there is"), "{said}");

    fs::write(&progress, "nonsense").expect("write it");
    assert!(copy.refuses(&[]).contains("delete it"));
    fs::remove_file(&progress).expect("delete it");
    assert!(copy.says(&[]).contains("Next: step00"), "it may be deleted");
}

/// Root may write anywhere but where the mount says no.
#[test]
fn where_nothing_can_be_kept_a_hint_is_given_all_the_same() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: no folder can be made read-only for it");
        return;
    }
    let copy = Copy::new();
    let folder = copy.0.path().to_str().expect("a plain path");
    let script = "mount --bind $1 $1 && mount -o remount,bind,ro $1 && \
                  exec $0 hint 3 --repository $1";
    let mut unshare = witness::command("unshare");
    unshare.args(["--mount", "sh", "-c", script]);
    let output = witness::output(
        unshare.arg(env!("CARGO_BIN_EXE_workshop")).arg(folder),
    );
    let page = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert!(page.contains("hint 1 of "), "{page}");
    assert!(words.contains("your progress is not kept: "), "{words}");
    assert!(words.contains("Read-only file system"), "{words}");
    // The control: where it can be, nothing is said.
    assert!(!copy.says(&["hint", "3"]).contains("not kept"));
}

#[test]
fn on_a_narrow_terminal_no_word_is_broken() {
    let copy = Copy::new();
    let page = |columns: u16| {
        let mut command = witness::command("sh");
        let wait = "read go; exec \"$@\" </dev/null";
        command.args(["-c", wait, "sh", env!("CARGO_BIN_EXE_workshop")]);
        command.args(["hint", "3", "--repository"]).arg(copy.0.path());
        let mut terminal = Terminal::run(command, true);
        terminal.resize(24, columns);
        terminal.press("go\n");
        terminal.expect("go\r\n");
        let page = terminal.expect("One more: ");
        assert_eq!(terminal.wait(), 0);
        page
    };
    let widest = |page: &str| {
        let lines = page.lines().filter(|line| !line.starts_with("    "));
        lines.map(|line| line.trim_end().chars().count()).max()
    };
    assert!(widest(&page(40)) <= Some(40));
    assert!(widest(&page(200)) > Some(40), "the control");
}
