//! A bundle of a test's own: a root filesystem and a config.json.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use witness::{Folder, Machine, Report, command, output, run};

const STEP12: &str = env!("CARGO_BIN_EXE_step12");

/// The capabilities of every container here: they set up and look.
const POWERS: [&str; 7] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
];

/// A bundle, and what the machine was before.
pub struct Bundle {
    folder: Folder,
    /// What will be in config.json.
    pub config: Value,
    /// Flags of `run`.
    pub flags: Vec<&'static str>,
    /// Dropped last: nothing of the above is left then.
    machine: Machine,
}

impl Bundle {
    /// With /proc, /sys and /dev, and all namespaces but that of users.
    pub fn new() -> Bundle {
        Bundle::with(Machine::new())
    }

    /// A new one, in the same test.
    pub fn another(self) -> Bundle {
        Bundle::with(self.machine)
    }

    fn with(machine: Machine) -> Bundle {
        let folder = Folder::new();
        let root = folder.join("rootfs");
        let shared = step03::rootfs::default_path().expect("a target folder");
        step03::rootfs::ensure(&shared).expect("make the root filesystem");
        let copied = output(command("cp").arg("-a").args([&shared, &root]));
        assert!(copied.status.success(), "copy it");
        let kinds = ["mount", "pid", "ipc", "uts", "network"];
        let namespaces = kinds.map(|kind| json!({ "type": kind }));
        let config = json!({
            "ociVersion": "1.2.0",
            "process": {
                "cwd": "/",
                "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
                "capabilities": {
                    "bounding": POWERS,
                    "permitted": POWERS,
                    "effective": POWERS,
                },
            },
            "root": { "path": "rootfs" },
            "mounts": [
                mount("/proc", "proc", "proc", ""),
                mount("/dev", "tmpfs", "tmpfs", "nosuid,mode=755,size=64k"),
                mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
            ],
            "linux": { "namespaces": namespaces },
        });
        Bundle { folder, config, flags: Vec::new(), machine }
    }

    /// A path in the root filesystem, from outside.
    pub fn root(&self, path: &str) -> PathBuf {
        self.folder.join("rootfs").join(path)
    }

    /// A path in the bundle.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A folder of the machine with one file in it, `file`.
    pub fn machines(&self, name: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("make a folder");
        fs::write(path.join("file"), "machine's\n").expect("make a file");
        path.display().to_string()
    }

    /// One more mount.
    pub fn mount(&mut self, to: &str, kind: &str, from: &str, options: &str) {
        let mounts = self.config["mounts"].as_array_mut().expect("a list");
        mounts.push(mount(to, kind, from, options));
    }

    /// Without the mounts that it has had from the beginning on.
    pub fn without_mounts(&mut self) {
        self.config["mounts"] = json!([]);
    }

    /// A user namespace, in which root is user 100000 of the machine.
    pub fn map_users(&mut self) {
        let list = self.config["linux"]["namespaces"].as_array_mut();
        list.expect("a list").push(json!({ "type": "user" }));
        let map =
            json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
    }

    /// Runs a shell's script in there, to its end.
    pub fn run(&mut self, script: &str) -> Report {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mounts-{}-{number}", std::process::id());
        self.config["process"]["args"] = json!(["sh", "-c", script]);
        let text = self.config.to_string();
        fs::write(self.path("config.json"), text).expect("write it");
        let state = self.path("state").display().to_string();
        let bundle = self.path(".").display().to_string();
        let words = ["--root", &state, "run", "--bundle", &bundle];
        let words = words.iter().copied().chain(self.flags.iter().copied());
        let words: Vec<&str> = words.chain([&*name]).collect();
        run(STEP12, &words)
    }

    /// The same for a script that succeeds; what it prints, as lines.
    pub fn lines(&mut self, script: &str) -> Vec<String> {
        let report = self.run(script);
        assert_eq!(report.status, 0, "{}{}", report.stdout, report.stderr);
        assert_eq!(report.stderr, "");
        report.stdout.lines().map(str::to_owned).collect()
    }

    /// The same for a container that is not made: why.
    pub fn error(&mut self) -> String {
        let report = self.run("echo it runs");
        assert_eq!(report.stdout, "", "{}", report.stderr);
        assert_eq!(report.status, 1, "{}", report.stderr);
        report.stderr
    }

    /// A line of the container's mount table: its flags, its propagation and
    /// its type.
    pub fn mounted(&mut self, point: &str) -> String {
        let script = "cat /proc/self/mountinfo";
        let lines = self.lines(script);
        let of = |line: &&String| line.split(' ').nth(4) == Some(point);
        let line = lines.iter().rfind(of);
        let line = line.unwrap_or_else(|| panic!("{point}: {lines:#?}"));
        let words: Vec<&str> = line.split(' ').collect();
        words[5..].join(" ")
    }
}

/// A member of `mounts`; a source or type that is empty is not named.
fn mount(to: &str, kind: &str, from: &str, options: &str) -> Value {
    let mut mount = json!({ "destination": to });
    for (name, text) in [("type", kind), ("source", from)] {
        if !text.is_empty() {
            mount[name] = json!(text);
        }
    }
    let options = options.split(',').filter(|word| !word.is_empty());
    mount["options"] = json!(options.collect::<Vec<_>>());
    mount
}
