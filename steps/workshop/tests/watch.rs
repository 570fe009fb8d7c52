//! `check --watch`: what turns, the keys, and how it ends.
//!
//! cargo is a script here, which "builds" step00 by naming the exercise
//! itself: another script, in a launcher's place. So a save is tried at once.
//! (In the virtual machine nothing is built by learners.)

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::LocalFlags;
use nix::unistd::Pid;
use witness::Folder;
use witness::terminal::Terminal;

/// Says what an exercise says that nobody has written.
const UNWRITTEN: &str = "#!/bin/sh
echo 'step00: execute is yours to write: steps/step00/src/exercise.rs' >&2
exit 125
";
const CARGO: &str = "#!/bin/sh
[ -x steps/step00/src/exercise.rs ] || exit 101
echo '{\"executable\": \"'$PWD'/steps/step00/src/exercise.rs'\"\\\"}\"
";

/// A repository with two exercises, and a cargo of its own.
struct Room(Folder);

impl Room {
    fn new() -> Room {
        let room = Room(Folder::new());
        for name in ["step00", "step01"] {
            let exercise = room.exercise(name);
            let source = exercise.parent().expect("src");
            fs::create_dir_all(source).expect("make it");
            let package = env!("CARGO_MANIFEST_DIR");
            let untouched =
                format!("{package}/../{name}/exercise/untouched.rs");
            fs::copy(untouched, exercise).expect("copy an exercise");
        }
        room.put(room.0.join("cargo"), CARGO);
        room
    }

    fn exercise(&self, name: &str) -> PathBuf {
        self.0.join(&format!("steps/{name}/src/exercise.rs"))
    }

    /// A new file, renamed over the old one, as many editors save.
    fn put(&self, path: PathBuf, text: &str) {
        let new = self.0.join("new");
        fs::write(&new, text).expect("write it");
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(&new, mode).expect("make it executable");
        fs::rename(new, path).expect("rename it");
    }

    fn save(&self, text: &str) {
        self.put(self.exercise("step00"), text);
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(["check", "0"]).args(flags);
        command.arg("--repository").arg(self.0.path());
        command.env("CARGO", self.0.join("cargo"));
        command.env_remove("RUST_BACKTRACE");
        command
    }

    fn on_a_terminal(&self) -> Terminal {
        let mut terminal = Terminal::run(self.command(&["--watch"]), true);
        terminal.expect("press h: ");
        terminal
    }
}

/// A watcher without a terminal.
struct Watcher {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    fn new(room: &Room) -> Watcher {
        let mut command = room.command(&["--watch"]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).spawn().expect("start it");
        let stdout = child.stdout.take().expect("its stdout");
        Watcher { child, lines: BufReader::new(stdout).lines() }
    }

    /// What it says until it waits again.
    fn hear(&mut self) -> String {
        let lines = self.lines.by_ref().map(|line| line.expect("a line"));
        let mut said = String::new();
        for line in lines {
            if line.starts_with("waiting for a file") {
                assert!(!line.contains("press"), "no terminal, no keys");
                return said;
            }
            said += &(line + "\n");
        }
        panic!("it has ended: {said}")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What follows these words on the first line that has them.
fn after<'a>(said: &'a str, words: &str) -> &'a str {
    let found = said.split_once(words).expect(words);
    found.1.lines().next().unwrap_or_default()
}

/// A "rung" that says what the first expectation wants to hear, whatever that
/// is, and so gets as far as the second.
fn right(said: &str) -> (String, String) {
    let (what, answer) = (after(said, "  NOT  "), after(said, "expected  "));
    (what.into(), format!("#!/bin/sh\necho '{answer}'\n"))
}

#[test]
fn what_has_turned_since_the_last_try_is_told() {
    let room = Room::new();
    let mut watcher = Watcher::new(&room);
    assert!(!watcher.hear().contains("Since the last try"), "the first");
    room.save(UNWRITTEN);
    let (what, right) = right(&watcher.hear());
    let (met, not) =
        (format!("  now met  {what}"), format!("  now NOT  {what}"));
    room.save(&right);
    let said = watcher.hear();
    assert!(said.contains(&met), "{said}");
    room.save(&right);
    let said = watcher.hear();
    assert!(said.contains("nothing has turned"), "{said}");
    room.save(UNWRITTEN);
    let said = watcher.hear();
    assert!(said.contains(&not), "{said}");
}

#[test]
fn no_save_ends_it() {
    let room = Room::new();
    let mut watcher = Watcher::new(&room);
    watcher.hear();
    room.save(UNWRITTEN);
    let (what, right) = right(&watcher.hear());
    let exercise = room.exercise("step00");
    fs::write(&exercise, b"\xff\xfe\x00 half a fi").expect("write it");
    watcher.hear();
    fs::remove_file(&exercise).expect("delete it");
    let said = watcher.hear();
    assert!(said.contains("is gone; as it came: cargo workshop"), "{said}");
    let folder = room.0.join("steps");
    fs::rename(&folder, room.0.join("aside")).expect("move it away");
    fs::create_dir_all(exercise.parent().expect("src")).expect("make it");
    watcher.hear();
    room.save(&right);
    let said = watcher.hear();
    assert!(said.contains(&format!("  met  {what}")), "{said}");
}

#[test]
fn keys_give_a_hint_go_on_and_end_it() {
    let room = Room::new();
    room.save(UNWRITTEN);
    let mut terminal = room.on_a_terminal();
    assert!(!terminal.is_as_before(), "the control: keys need no Enter");
    // The one that failed, and not the first, which is `fork`.
    terminal.press("h");
    terminal.expect("step00, execute: hint 1 of");
    terminal.expect("press h: ");
    terminal.press("\u{1b}[Bxyz");
    terminal.press("n");
    terminal.expect("step01: UTS namespace");
    terminal.expect("press h: ");
    terminal.press("n");
    terminal.expect("step02/src/exercise.rs is gone");
    terminal.expect("press h: ");
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
    assert!(terminal.is_as_before());
}

#[test]
fn whatever_ends_it_the_terminal_is_as_before() {
    let room = Room::new();
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT]
    {
        let mut terminal = room.on_a_terminal();
        let flags = terminal.settings().local_flags;
        assert!(!flags.contains(LocalFlags::ICANON), "the control");
        match signal {
            Signal::SIGINT => terminal.press("\u{3}"),
            signal => kill(Pid::from_raw(terminal.pid()), signal)
                .expect("send a signal"),
        }
        assert_eq!(terminal.wait(), 128 + signal as i32, "{signal}");
        assert!(terminal.is_as_before(), "{signal}");
    }
}

/// All that it has started, and they.
fn below(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(&pid) = all.get(at) {
        all.extend(witness::process::children(pid));
        at += 1;
    }
    all
}

#[test]
fn who_ends_it_in_the_middle_of_a_try_ends_the_try() {
    let room = Room::new();
    let begun = room.0.join("begun");
    let hangs = format!("#!/bin/sh\n: >{}\nsleep 1000\n", begun.display());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut terminal = room.on_a_terminal();
        room.save(&hangs);
        witness::eventually("the try to begin", || begun.exists());
        let all = below(terminal.pid());
        assert!(all.len() > 3, "the control: {all:?}");
        match signal {
            Signal::SIGINT => terminal.press("\u{3}"),
            signal => kill(Pid::from_raw(terminal.pid()), signal)
                .expect("send a signal"),
        }
        assert_eq!(terminal.wait(), 128 + signal as i32, "{signal}");
        assert!(terminal.is_as_before(), "{signal}");
        for pid in &all[1..] {
            witness::eventually("all of it to be gone", || {
                witness::process::is_gone(*pid)
            });
        }
        fs::remove_file(&begun).expect("once more");
        room.save(UNWRITTEN);
    }
}

/// Ctrl-Z, and later `fg`: a shell has had the terminal in between.
#[test]
fn a_stopped_one_gives_the_terminal_back_and_takes_it_again() {
    let room = Room::new();
    let mut terminal = room.on_a_terminal();
    let pid = Pid::from_raw(terminal.pid());
    // An orphaned group is not stopped by Ctrl-Z, and so it is sent.
    kill(pid, Signal::SIGTSTP).expect("send a signal");
    witness::eventually("it to be stopped", || {
        witness::process::state(pid.as_raw()) == Some('T')
    });
    assert!(terminal.is_as_before());
    kill(pid, Signal::SIGCONT).expect("let it go on");
    witness::eventually("it to take the terminal again", || {
        !terminal.is_as_before()
    });
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
    assert!(terminal.is_as_before());
}

#[test]
fn what_is_in_the_background_leaves_the_terminal_alone() {
    let room = Room::new();
    let mut command = Command::new("setsid");
    let own = room.command(&["--watch"]);
    // Another session: this is not its controlling terminal.
    command.arg("--wait").arg(own.get_program()).args(own.get_args());
    command.env("CARGO", room.0.join("cargo"));
    let mut terminal = Terminal::run(command, true);
    terminal.expect("waiting for a file to be saved (Ctrl-C ends)");
    assert!(terminal.is_as_before());
}
