//! Runs each rung with a function that nobody has written yet, and looks at
//! what a learner would see, and at what is left behind. `.ci/exercises`
//! builds the rungs into a folder and starts this with it; without a folder
//! there is nothing to do. The rungs are named by what is to be seen:
//!
//! - `step03.solution` does its work: the control.
//! - `step03.unwritten.pivot` names this function, kindly.
//! - `step03.untouched` names any function of step03's.
//! - `step03.half` names an essential one: the others are given.
//! - `step08.over.step03` is a higher rung on the untouched step03.
//! - `step03.bug` panics in its first function: the control for the words.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use witness::terminal::Terminal;
use witness::{Machine, run_in};
use workshop::ladder::LADDER;

/// What a panic says, and an unwritten body must not.
const PANIC: [&str; 2] = ["panicked", "backtrace"];

/// The group above all groups of containers.
const GROUP: &str = "/sys/fs/cgroup/workshop";

fn main() {
    // What begins with a dash is for the other tests.
    let folder = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    let Some(folder) = folder else {
        println!("no rungs to try: .ci/exercises builds them");
        return;
    };
    let entries = std::fs::read_dir(folder).expect("read that folder");
    let mut rungs: Vec<_> =
        entries.map(|entry| entry.expect("read an entry").path()).collect();
    rungs.sort();
    let has_groups = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let mut count = 0;
    for path in &rungs {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let parts: Vec<&str> = name.split('.').collect();
        // The rung whose exercise it is.
        let home = if parts[1] == "over" { parts[2] } else { parts[0] };
        if !has_groups && home == "step07" && parts[1] != "solution" {
            println!("{name}: nothing gets there without cgroup v2");
            continue;
        }
        let solution = path.with_file_name("step11.solution");
        let path = path.to_str().expect("a plain path");
        let bundle = (home == "step12").then(|| Bundle::new(path, &parts));
        let mut flags: Vec<&str> = match home {
            // Only an init needs step02's exercise,
            "step02" => vec!["--init", "--", "echo", "ran"],
            // and only a shifted clock needs all of step09's.
            "step09" => vec!["--boottime-offset", "1", "--", "echo", "ran"],
            // step11's exercise enters a container that is running.
            "step11" => vec!["exec", ENTERED, "echo", "ran"],
            // step12's command is in a file.
            "step12" => bundle.iter().flat_map(Bundle::words).collect(),
            _ => vec!["--", "echo", "ran"],
        };
        let rung = LADDER.iter().find(|rung| rung.name() == parts[0]);
        let subcommand = rung.expect("a rung").subcommand;
        if !["step11", "step12"].contains(&home) {
            let words = subcommand.map(|word| [word, "--rm"]);
            flags.splice(0..0, words.into_iter().flatten());
        }
        let _entered = (home == "step11").then(|| Entered::start(solution));
        leaves_nothing(name, || in_a_pipe(path, &flags, &parts));
        // A second one of that name would be refused.
        let again = (home == "step12").then(|| Bundle::new(path, &parts));
        if let Some(again) = &again {
            flags = again.words().to_vec();
        }
        leaves_nothing(name, || on_a_terminal(path, &flags, &parts));
        println!("{name}: as it should");
        count += 1;
    }
    assert!(count > 0, "there were no rungs");
    println!("{count} of {} rungs have been tried", rungs.len());
}

/// A container to enter. An exercise that cannot enter it yet cannot end it
/// either, so the solution does that.
struct Entered(PathBuf);

const ENTERED: &str = "exercise";

impl Entered {
    fn start(solution: PathBuf) -> Entered {
        let flags = ["run", "-qd", "--name", ENTERED, "--network", "none"];
        let mut command = Command::new(&solution);
        command.args(flags).args(["sleep", "1000"]).stdout(Stdio::null());
        assert!(command.status().expect("start a container").success());
        Entered(solution)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut command = Command::new(&self.0);
        command.args(["rm", "--force", ENTERED]).stdout(Stdio::null());
        assert!(command.status().expect("end it").success());
    }
}

/// A container for step12, which keeps what it knows of it in here as well.
struct Bundle {
    solution: PathBuf,
    folder: witness::Folder,
    root: String,
    name: String,
}

impl Bundle {
    fn new(rung: &str, parts: &[&str]) -> Bundle {
        let folder = witness::Folder::new();
        let path = folder.path().to_str().expect("a plain path").to_owned();
        let mut command = Command::new(rung);
        command.args(["spec", "--bundle", &path]).stdin(Stdio::null());
        assert!(command.status().expect("write its config.json").success());
        let file = folder.join("config.json");
        let text = std::fs::read_to_string(&file).expect("read it");
        let mut config: serde_json::Value =
            serde_json::from_str(&text).expect("JSON");
        let program = ["echo", "ran"].map(serde_json::Value::from);
        config["process"]["args"] = program.to_vec().into();
        let image = step03::rootfs::default_path().expect("a path");
        step03::rootfs::ensure(&image).expect("make it");
        config["root"]["path"] = image.to_str().expect("plain").into();
        std::fs::write(&file, config.to_string()).expect("write it");
        let name = format!("{}-{}", parts.join("."), std::process::id());
        let solution = Path::new(rung).with_file_name("step12.solution");
        Bundle { solution, folder, root: format!("{path}/root"), name }
    }

    fn words(&self) -> [&str; 6] {
        let bundle = self.folder.path().to_str().expect("a plain path");
        ["--root", &self.root, "run", "--bundle", bundle, &self.name]
    }
}

/// An exercise that cannot start it cannot forget it either.
impl Drop for Bundle {
    fn drop(&mut self) {
        let mut command = Command::new(&self.solution);
        command.args(["--root", &self.root, "delete", "--force", &self.name]);
        assert!(command.status().expect("forget it").success());
    }
}

fn leaves_nothing(name: &str, run: impl FnOnce()) {
    let machine = Machine::new();
    let had_group = Path::new(GROUP).exists();
    run();
    // Namespaces may take a moment to go, and so may a guardian that has done
    // its work and waits for the kernel (step05's nat.rs).
    witness::eventually(&format!("the end of what {name} has left"), || {
        let is_process = |what: &String| what.contains("process");
        !machine.changes().iter().any(is_process)
    });
    assert_eq!(Path::new(GROUP).exists(), had_group, "{name} left {GROUP}");
}

fn in_a_pipe(path: &str, flags: &[&str], parts: &[&str]) {
    let variables = [("RUST_BACKTRACE", "1")];
    let report = run_in(path, flags, Path::new("."), &variables);
    let expected = Expected::of(parts);
    let text = match report.status {
        0 => report.stderr + &report.stdout,
        _ => report.stdout + &report.stderr,
    };
    expected.is_met(report.status, &text);
}

/// With a terminal there is more to give back.
fn on_a_terminal(path: &str, flags: &[&str], parts: &[&str]) {
    let mut command = Command::new(path);
    command.args(flags).env("RUST_BACKTRACE", "1");
    let mut terminal = Terminal::run(command, true);
    let expected = Expected::of(parts);
    let end = expected.end.lines().last().unwrap_or_default();
    let screen = terminal.expect(end) + "\n";
    let status = terminal.wait();
    expected.is_met(status, &screen.replace("\r\n", "\n"));
    assert!(terminal.is_as_before(), "{parts:?} has changed the terminal");
}

/// What we expect to see.
struct Expected {
    status: i32,
    panics: bool,
    end: String,
}

impl Expected {
    fn of(parts: &[&str]) -> Expected {
        let rung = parts[0];
        let (status, panics, end) = match *parts {
            [_, "solution"] => (0, false, "ran\n".into()),
            [_, "bug"] => (125, true, "by a bug, see above\n".into()),
            [_, "untouched"] => (125, false, words(rung, "", rung)),
            [_, "half"] => (125, false, words(rung, essential(rung), rung)),
            // Nobody listens at the gate any more: `start` is told.
            ["step12", "unwritten", "wait"] => (1, false, told("wait")),
            [_, "unwritten", name] => (125, false, words(rung, name, rung)),
            [_, "over", lower] => (125, false, words(rung, "", lower)),
            _ => panic!("{parts:?} is no name that means something"),
        };
        Expected { status, panics, end }
    }

    fn is_met(&self, status: i32, text: &str) {
        let Expected { end, .. } = self;
        assert!(text.ends_with(end), "{end:?} is not the end of {text}");
        assert_eq!(status, self.status, "{text}");
        for word in PANIC {
            assert_eq!(text.contains(word), self.panics, "{word}: {text}");
        }
    }
}

/// The function that a half leaves out; none where it leaves out several.
fn essential(rung: &str) -> &'static str {
    let found = LADDER.iter().find(|row| row.name() == rung);
    match found.expect("a rung").essential {
        [one] => one,
        _ => "",
    }
}

/// The same as an engine reads it, on one line.
fn told(function: &str) -> String {
    let words = words("step12", function, "step12");
    let words = words.replace("step12: ", "step12: error: ");
    words.replace("\n  try: ", "; try: ")
}

/// The end of what `rung` says. Without a name, any function will do.
fn words(rung: &str, function: &str, home: &str) -> String {
    let start = match function {
        "" => String::new(),
        function => format!("{rung}: {function}"),
    };
    let number = home.strip_prefix("step").map(str::parse::<u8>);
    let number = number.expect("a rung").expect("its number");
    format!(
        "{start} is yours to write: steps/{home}/src/exercise.rs\n  \
         try: cargo workshop hint {number}\n"
    )
}
