//! A container that runc has made.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use witness::Folder;

use crate::lab::{blind, report, row, running};

/// A bundle: the machine's static busybox, and runc's own configuration.
fn bundle() -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.join("rootfs/bin")).expect("make a folder");
    crate::lab::copy_busybox(&folder.join("rootfs/bin/cat"));
    let mut spec = Command::new("runc");
    spec.arg("spec").current_dir(folder.path());
    assert!(spec.status().expect("start runc").success());
    let path = folder.join("config.json");
    let text = fs::read_to_string(&path).expect("read it");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["cat"]);
    config["linux"]["resources"]["memory"] = json!({ "limit": 40 << 20 });
    config["linux"]["resources"]["pids"] = json!({ "limit": 11 });
    config["linux"]["cgroupsPath"] = json!("/workshop-test-runc");
    fs::write(&path, config.to_string()).expect("write it");
    folder
}

#[test]
#[ignore = "needs runc and cgroup v2: scripts/test runs it in the VM"]
fn it_wears_what_its_configuration_says() {
    if Command::new("runc").arg("--version").output().is_err() {
        eprintln!("no runc here");
        return;
    }
    let folder = bundle();
    let path = folder.path().to_str().expect("a path");
    let name = format!("workshop-test-{}", std::process::id());
    let run = ["runc", "run", "--bundle", path, &name];
    let there = running(&run, "cat");
    let found = report(there.pid);
    let wanted =
        ["hostname", "processes", "files", "network", "ipc", "cgroups"];
    assert_eq!(blind(&found), wanted, "{found:#}");
    let limit =
        |subject| row(&found, "handcuffs", subject)["facts"]["limit"].clone();
    assert_eq!(limit("memory"), 40 << 20);
    assert_eq!(limit("pids"), 11);
    let powers = &row(&found, "gags", "powers")["facts"]["effective"];
    let held = json!(["KILL", "NET_BIND_SERVICE", "AUDIT_WRITE"]);
    assert_eq!(*powers, held);
    let new = &row(&found, "gags", "new privs")["mark"];
    assert_eq!(new, "gagged");
    let files = row(&found, "blindfolds", "files")["text"].to_string();
    assert!(files.contains("read-only"), "{files}");
    let maker = found["maker"].as_str().expect("a maker");
    assert!(maker.starts_with("runc ("), "{maker}");
    assert_eq!(found["group"], "/workshop-test-runc");
}
