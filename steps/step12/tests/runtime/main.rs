//! step12 from outside: as an engine calls it, and as a person does.

mod console;
mod crash;
mod exec;
mod hooks;
mod inherited;
mod life;
mod namespaces;
mod process;
mod seccomp;
mod words;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use witness::{Folder, Machine, Report, eventually, run};

const STEP12: &str = env!("CARGO_BIN_EXE_step12");

/// A bundle, and the runtime's folder beside it. What runs in it is gone when
/// this is dropped, and the machine is as it was.
struct Bundle {
    id: String,
    folder: Folder,
    // Dropped last: it looks when all the rest is gone.
    machine: Machine,
}

/// Puts a value into a document: `a/b/c`, from the top.
fn set(config: &mut Value, path: &str, value: Value) {
    let mut place = config;
    for name in path.split('/') {
        place = &mut place[name];
    }
    *place = value;
}

impl Bundle {
    /// One that runs `sh -c SCRIPT` on a read-only root, as `spec` describes
    /// it, with some values changed.
    fn new(script: &str, changes: &[(&str, Value)]) -> Bundle {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let machine = Machine::new();
        let folder = Folder::new();
        let path = folder.path().display().to_string();
        let report = run(STEP12, &["spec", "--bundle", &path]);
        assert_eq!(report.status, 0, "{}", report.stderr);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{}-{count}", std::process::id());
        let bundle = Bundle { id, folder, machine };
        let root = step03::rootfs::default_path().expect("a root");
        step03::rootfs::ensure(&root).expect("make it");
        bundle.change(&[
            ("root", json!({ "path": root, "readonly": true })),
            ("process/args", json!(["sh", "-c", script])),
            ("process/terminal", json!(false)),
            ("linux/cgroupsPath", json!(format!("/{}", bundle.id))),
        ]);
        bundle.change(changes);
        bundle
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("read it")
    }

    fn config(&self) -> Value {
        let text = self.read("config.json");
        serde_json::from_str(&text).expect("JSON")
    }

    fn change(&self, changes: &[(&str, Value)]) {
        let mut config = self.config();
        for (path, value) in changes {
            set(&mut config, path, value.clone());
        }
        let text = config.to_string();
        fs::write(self.folder.join("config.json"), text).expect("write it");
    }

    fn root(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = witness::command(STEP12);
        command.arg("--root").arg(self.root()).args(arguments);
        command
    }

    /// Runs one of the commands to its end.
    fn run(&self, arguments: &[&str]) -> Report {
        let root = self.root().display().to_string();
        run(STEP12, &[&["--root", &root], arguments].concat())
    }

    /// The same, which must go well; returns what it has printed.
    #[track_caller]
    fn good(&self, arguments: &[&str]) -> String {
        let report = self.run(arguments);
        assert_eq!(report.status, 0, "{arguments:?}: {}", report.stderr);
        report.stdout
    }

    /// The same, which must go wrong; returns what it says about that.
    #[track_caller]
    fn bad(&self, arguments: &[&str]) -> String {
        let report = self.run(arguments);
        assert_eq!(report.status, 1, "{arguments:?}: {}", report.stdout);
        report.stderr
    }

    /// `create`, with a file for what the container says: a pipe would stay
    /// open as long as it lives.
    #[track_caller]
    fn create(&self, flags: &[&str]) {
        let report = self.try_create(flags);
        assert_eq!(report.status, 0, "{}", report.stderr);
    }

    fn try_create(&self, flags: &[&str]) -> Report {
        let file = |name| File::create(self.folder.join(name)).expect("make");
        let path = self.folder.path().display().to_string();
        let usual = ["create", "--bundle", &path];
        let mut command = self.command(&[&usual, flags, &[&self.id]].concat());
        let command = command
            .stdin(Stdio::null())
            .stdout(file("said"))
            .stderr(file("errors"));
        let status = witness::output(command).status;
        Report {
            status: status.code().unwrap_or(-1),
            stdout: self.read("said"),
            stderr: self.read("errors"),
        }
    }

    /// `exec --detach`, with nothing to keep open.
    #[track_caller]
    fn exec_detached(&self, flags: &[&str], command: &[&str]) {
        let usual = ["exec", "--detach"];
        let words = [&usual, flags, &[&self.id], command].concat();
        let mut command = self.command(&words);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = witness::output(command.stderr(Stdio::null())).status;
        assert!(status.success(), "{words:?}");
    }

    /// `create` and `start`.
    #[track_caller]
    fn start(&self) {
        self.create(&[]);
        self.good(&["start", &self.id]);
    }

    /// `run`, in the foreground.
    fn run_it(&self) -> Report {
        let path = self.folder.path().display().to_string();
        self.run(&["run", "--bundle", &path, &self.id])
    }

    /// What the container has said by now.
    fn said(&self) -> String {
        self.read("said")
    }

    #[track_caller]
    fn says(&self, text: &str) {
        eventually(&format!("{text:?} from inside"), || {
            self.said().contains(text)
        });
    }

    /// A property of what `state` prints.
    #[track_caller]
    fn state(&self, name: &str) -> Value {
        let text = self.good(&["state", &self.id]);
        let state: Value = serde_json::from_str(&text).expect("JSON");
        state[name].clone()
    }

    #[track_caller]
    fn becomes(&self, status: &str) {
        eventually(status, || {
            witness::process::reap_orphans();
            self.state("status") == status
        });
    }

    fn pid(&self) -> i32 {
        self.state("pid").as_i64().expect("a number") as i32
    }

    /// Its groups that are there.
    fn groups(&self) -> Vec<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("read");
        let trees = mounts.lines().filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            words[2].starts_with("cgroup").then(|| PathBuf::from(words[1]))
        });
        let groups = trees.map(|tree| tree.join(&self.id));
        groups.filter(|group| group.exists()).collect()
    }

    /// Nothing is known of it any more, and nothing was left.
    #[track_caller]
    fn is_gone(&self) {
        assert_eq!(self.groups(), Vec::<PathBuf>::new());
        let left = fs::read_dir(self.root()).into_iter().flatten().count();
        assert_eq!(left, 0, "in its folder");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // An engine waits for its processes, and so does this one: PID 1 does
        // not end before that.
        let root = self.root();
        let has_ended = || {
            self.run(&["kill", "--all", &self.id, "KILL"]);
            witness::process::reap_orphans();
            let state = self.run(&["state", &self.id]).stdout;
            let state: Value =
                serde_json::from_str(&state).unwrap_or_default();
            state["pid"].as_i64().unwrap_or_default() == 0
        };
        if root.exists() && !std::thread::panicking() {
            eventually("its end", has_ended);
        }
        self.run(&["delete", "--force", &self.id]);
        let _ = &self.machine;
    }
}
