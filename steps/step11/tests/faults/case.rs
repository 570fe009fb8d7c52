//! The command lines that are tried, and the calls that each of them makes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use witness::{Folder, run};

use crate::STEP11;
use crate::listing::{self, Call, Line};

/// One command line of step11, and a list of what it does.
pub struct Case {
    /// What it is called here.
    pub name: &'static str,
    /// The arguments of step11.
    pub arguments: Vec<String>,
    /// Is its launcher to be followed into its children? See `inject.rs`.
    pub follows: bool,
    /// Every call of the set-up, in order.
    pub calls: Vec<Call>,
    /// The calls of its guardians and threads, by name and number.
    pub others: BTreeSet<(String, u32)>,
    /// The launcher's first call after it has made the container's process.
    pub hold: Option<(String, u32)>,
    /// How long one run took under strace.
    pub took: Duration,
    _folder: Folder,
}

/// The container that a case enters, if it does. It is removed when this is
/// dropped.
pub struct Target(Option<&'static str>);

const ENTERED: &str = "entered";

impl Case {
    /// All that is tried.
    pub fn all() -> [Case; 3] {
        let folder = Folder::new();
        let volume = format!("{}:/vol", folder.path().display());
        let foreground =
            ["run", "--rm", "--init", "--publish", "18080:80", "--volume"];
        let foreground = [&foreground[..], &[&volume, "--", "true"]].concat();
        let case = |name, arguments: &[&str], folder| Case {
            name,
            arguments: arguments.iter().map(|a| (*a).into()).collect(),
            follows: name == "detached",
            calls: Vec::new(),
            others: BTreeSet::new(),
            hold: None,
            took: Duration::ZERO,
            _folder: folder,
        };
        [
            case("run", &foreground, folder),
            case(
                "detached",
                &["run", "-q", "--detach", "--rm", "--", "true"],
                Folder::new(),
            ),
            case("exec", &["exec", ENTERED, "true"], Folder::new()),
        ]
    }

    /// Makes the container to be entered, and the list of calls.
    pub fn prepare(&mut self) -> Target {
        let target = match self.name {
            "exec" => Target::new(ENTERED),
            _ => Target(None),
        };
        let start = Instant::now();
        let lines = self.listing();
        self.took = start.elapsed();
        let roles = listing::roles(&lines);
        self.calls = listing::calls(&lines, &roles, self.follows);
        self.others = others(&lines, &self.calls);
        self.hold = listing::hold(&lines, &roles);
        target
    }

    /// Does the fault meet a guardian as well?
    pub fn is_shared(&self, call: &Call) -> bool {
        let key = (call.name.clone(), call.when);
        self.follows && self.others.contains(&key)
    }

    /// The lines of a run without a fault, each with its process.
    fn listing(&self) -> Vec<Line> {
        let folder = Folder::new();
        let log = folder.text("log");
        let status = witness::command("strace")
            .args(["-f", "-y", "-qq", "-s", "200", "-o", &log, STEP11])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("start strace");
        assert!(status.success(), "{} {status}", self.name);
        let text = std::fs::read_to_string(log).expect("read the listing");
        let line = |line: &str| {
            let (pid, rest) = line.split_once(' ')?;
            Some((pid.parse().ok()?, rest.trim_start().to_owned()))
        };
        text.lines().filter_map(line).collect()
    }
}

impl Target {
    fn new(name: &'static str) -> Target {
        let flags = ["run", "-q", "--detach", "--name", name];
        let report = run(STEP11, &[&flags[..], &["sleep", "9999"]].concat());
        assert_eq!(report.status, 0, "{}", report.stderr);
        Target(Some(name))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(name) = self.0 {
            // A process of it whose launcher was killed is this test's to wait
            // for: as long as it is a zombie, PID 1 does not end.
            let mut remove = witness::command(STEP11);
            let remove = remove.args(["rm", "--force", name]);
            let remove = remove.stdout(std::process::Stdio::null());
            let mut remove = remove.spawn().expect("remove it");
            witness::eventually("the end of what was entered", || {
                witness::process::reap_orphans();
                matches!(remove.try_wait(), Ok(Some(_)))
            });
        }
    }
}

/// The calls of processes that have no role, and those before `main`.
fn others(lines: &[Line], calls: &[Call]) -> BTreeSet<(String, u32)> {
    let mut counts: BTreeMap<(i32, &str), u32> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for (pid, line) in lines {
        let Some((name, _)) = line.split_once('(') else { continue };
        let count = counts.entry((*pid, name)).or_default();
        *count += 1;
        *keys.entry((name.to_owned(), *count)).or_insert(0) += 1;
    }
    for call in calls {
        if let Some(number) = keys.get_mut(&(call.name.clone(), call.when)) {
            *number -= 1;
        }
    }
    let left = keys.into_iter().filter(|(_, number)| *number > 0);
    left.map(|(key, _)| key).collect()
}
