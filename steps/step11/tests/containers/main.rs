//! step11 from outside: containers with names, and a way into each.

mod copies;
mod crash;
mod end;
mod enter;
mod folders;
mod handcuffs;
mod images;
mod kept;
mod life;
mod look;
mod person;
mod pods;
mod records;
mod restarts;
mod terminal;
mod words;

#[path = "../../../step04/tests/imported_image/mod.rs"]
mod imported_image;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use witness::{Report, process, run};

const STEP11: &str = env!("CARGO_BIN_EXE_step11");

/// Other users than root, whether or not the person who has typed sudo has any
/// set aside.
const MAP: [&str; 4] =
    ["--uid-map", "0:100000:65536", "--gid-map", "0:100000:65536"];

/// A detached container with a name that nobody else has. It is gone when
/// this is dropped.
struct Container {
    name: String,
}

impl Container {
    /// Starts one that runs `sh -c SCRIPT`, without a cable.
    fn start(flags: &[&str], script: &str) -> Container {
        let (container, report) = Container::try_start(flags, script);
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert_eq!(report.stdout, format!("{}\n", container.name));
        container
    }

    fn try_start(flags: &[&str], script: &str) -> (Container, Report) {
        let container = Container { name: new_name() };
        let usual = ["-q", "--detach", "--network", "none", "--name"];
        let usual = [&["run"], &usual[..], &[&container.name]].concat();
        let command = ["--", "sh", "-c", script];
        let report = run(STEP11, &[&usual[..], flags, &command].concat());
        (container, report)
    }

    /// What `inspect` says of it.
    fn inspect(&self) -> Value {
        let report = run(STEP11, &["inspect", &self.name]);
        assert_eq!(report.status, 0, "{}", report.stderr);
        let all: Value = serde_json::from_str(&report.stdout).expect("JSON");
        all[0].clone()
    }

    /// Its first process, as the machine counts.
    fn pid(&self) -> i32 {
        self.number("pid")
    }

    fn number(&self, field: &str) -> i32 {
        let number = self.inspect()[field].as_i64();
        number.expect("a number").try_into().expect("a small number")
    }

    /// Runs a command in it.
    fn exec(&self, flags: &[&str], command: &[&str]) -> Report {
        let call = [&["exec"], flags, &[&self.name, "--"], command].concat();
        run(STEP11, &call)
    }

    /// Calls a command of step11 about it.
    fn call(&self, words: &[&str]) -> Report {
        run(STEP11, &[words, &[&self.name]].concat())
    }

    /// What it has printed.
    fn log(&self) -> String {
        self.call(&["logs"]).stdout
    }

    /// Its line of `ps --all`, if it has one.
    fn line(&self) -> Option<String> {
        let list = run(STEP11, &["ps", "-a"]).stdout;
        let mut lines = list.lines().map(str::to_owned);
        let first = |line: &str| line.split(' ').next() == Some(&self.name);
        lines.find(|line| first(line))
    }

    fn folder(&self) -> String {
        format!("/run/workshop/{}", self.name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Most tests have removed it already.
        let Ok(mut remove) = Command::new(STEP11)
            .args(["rm", "--force", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
        else {
            return;
        };
        while let Ok(None) = remove.try_wait() {
            process::reap_orphans();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("witness-{}-{count}", std::process::id())
}
