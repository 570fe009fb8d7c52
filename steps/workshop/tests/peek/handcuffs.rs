//! Control groups of both versions, and how much of each limit is used.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use witness::eventually;

use crate::lab::{Box, boxed, is_root, peek, report, row};

/// A control group of this test's own, removed when this is dropped.
struct Group(PathBuf);

impl Group {
    fn new(parent: &Path, name: &str) -> Group {
        let name = format!("workshop-test-{}-{name}", std::process::id());
        let group = Group(parent.join(name));
        fs::create_dir(&group.0).expect("make a group");
        group
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::write(&path, text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn take(&self, there: &Box) {
        self.write("cgroup.procs", &there.pid.to_string());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        eventually("the group to be empty", || {
            fs::remove_dir(&self.0).is_ok()
        });
    }
}

#[test]
fn a_process_without_limits_has_none() {
    let there = boxed(&["env"]);
    let report = report(there.pid);
    for subject in ["memory", "cpu", "pids"] {
        let row = row(&report, "handcuffs", subject);
        // A group above this test may limit it, too.
        assert!(row["mark"] == "free" || row["facts"]["inherited"] == true);
    }
}

#[test]
fn limits_of_version_1_are_read_as_well() {
    let tree = Path::new("/sys/fs/cgroup/pids");
    if !is_root() || !tree.join("cgroup.procs").exists() {
        eprintln!("no control groups of version 1 here");
        return;
    }
    let group = Group::new(tree, "v1");
    let there = boxed(&["env"]);
    group.write("pids.max", "17");
    group.take(&there);
    let found = report(there.pid);
    let found = row(&found, "handcuffs", "pids");
    assert_eq!(found["mark"], "cuffed");
    assert_eq!(found["facts"]["limit"], 17);
    assert_eq!(found["facts"]["used"], 1);
    let page = peek(&[&there.pid.to_string()]);
    assert!(page.contains("pids      1 of 17 processes"), "{page}");
    drop(there);
}

#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn limits_of_version_2_are_read_with_their_use() {
    let root = Path::new("/sys/fs/cgroup");
    fs::write(root.join("cgroup.subtree_control"), "+memory +cpu +pids")
        .expect("hand on controllers");
    let above = Group::new(root, "above");
    above.write("cgroup.subtree_control", "+memory +cpu +pids");
    let group = Group::new(&above.0, "own");
    let there = boxed(&["env"]);
    above.write("memory.max", "50M");
    above.write("cpu.max", "20000 100000");
    group.write("memory.max", "60M");
    group.write("pids.max", "9");
    group.write("memory.high", "30M");
    group.take(&there);
    let found = report(there.pid);
    // The tighter of two limits holds: not that of the process's own group.
    let memory = row(&found, "handcuffs", "memory");
    assert_eq!(memory["facts"]["limit"], 50 << 20, "{memory:#}");
    assert_eq!(memory["facts"]["inherited"], true);
    let cpu = row(&found, "handcuffs", "cpu");
    assert_eq!(cpu["facts"]["limit"], 0.2, "{cpu:#}");
    let pids = row(&found, "handcuffs", "pids");
    assert_eq!(pids["facts"]["limit"], 9, "{pids:#}");
    assert_eq!(pids["facts"]["used"], 1);
    assert_eq!(pids["facts"]["inherited"], false);
    let others = row(&found, "handcuffs", "others")["text"].to_string();
    let wanted = format!(" of {}", 30 << 20);
    assert!(others.contains("memory.high "), "{others}");
    assert!(others.contains(&wanted), "{others}");
    group.write("cgroup.freeze", "1");
    eventually("the group to be frozen", || {
        let found = report(there.pid);
        let rows = found["handcuffs"].as_array().expect("rows").clone();
        rows.iter().any(|row| row["subject"] == "frozen")
    });
    group.write("cgroup.freeze", "0");
    drop(there);
    drop(group);
}

#[test]
fn a_process_may_be_tied_to_some_cpus() {
    let online = fs::read_to_string("/sys/devices/system/cpu/online");
    if online.is_ok_and(|online| online.trim() == "0") {
        eprintln!("there is but one CPU here");
        return;
    }
    let there = boxed(&["taskset", "1"]);
    let found = report(there.pid);
    let row = row(&found, "handcuffs", "cpuset");
    assert_eq!(row["facts"]["limit"], "0", "{row:#}");
    let control = report(boxed(&["env"]).pid);
    let rows = control["handcuffs"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["subject"] != "cpuset"));
}

/// The rung's own ledger says so, and peek must agree.
#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn a_rung_wears_what_it_says() {
    let workshop = Path::new(env!("CARGO_BIN_EXE_workshop"));
    let step08 = workshop.with_file_name("step08");
    assert!(step08.exists(), "first: cargo build --workspace");
    let step08 = step08.to_str().expect("a path").to_owned();
    let rung = witness::start(&step08, &["--memory", "64M"], "");
    let found = report(rung.pid);
    let memory = row(&found, "handcuffs", "memory");
    assert_eq!(memory["facts"]["limit"], 64 << 20);
    assert!(memory["facts"]["used"].as_u64().expect("a use") > 0);
    let syscalls = row(&found, "gags", "syscalls");
    assert_eq!(syscalls["facts"], json!({ "mode": 2, "filters": 1 }));
    let blind = crate::lab::blind(&found);
    assert_eq!(blind, ["hostname", "processes", "files", "network", "users"]);
    let maker = found["maker"].as_str().expect("a maker");
    assert_eq!(maker, format!("step08 ({})", rung.launcher()));
    let told = rung.end().stderr;
    assert!(told.contains("cuffed memory    at most 64M, no swap"), "{told}");
}
