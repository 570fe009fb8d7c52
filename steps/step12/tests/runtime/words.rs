//! Errors, in the words that engines look for, and where they look.

use std::fs;

use serde_json::{Value, json};

use crate::Bundle;

/// `create` with a log, which must go wrong: what stderr and the log say.
fn fail(it: &Bundle) -> (String, Value) {
    let log = it.folder.join("log.json");
    let _ = fs::remove_file(&log);
    let path = it.folder.path().display().to_string();
    let log = log.display().to_string();
    let flags = ["--log", &log, "--log-format", "json"];
    let create = ["create", "--bundle", &path, &it.id];
    let says = it.bad(&[&flags[..], &create].concat());
    it.is_gone();
    let text = it.read("log.json");
    let line = text.lines().last().expect("a line");
    (says, serde_json::from_str(line).expect("JSON"))
}

#[test]
fn an_engine_finds_them_in_the_log_and_a_person_on_stderr() {
    for (program, words) in [
        ("nosuch", "executable file not found in $PATH"),
        ("/bin/nosuch", "no such file or directory"),
        ("/etc/passwd", "permission denied"),
        ("/etc", "is a directory"),
    ] {
        let it =
            Bundle::new("", &[("process/args", json!([program, "more"]))]);
        let (says, line) = fail(&it);
        assert!(says.contains(words), "{says}");
        assert_eq!(line["level"], "error");
        let message = line["msg"].as_str().expect("a text");
        assert!(message.contains(words), "{message}");
        // As RFC 3339 has it, or the engine loses the message.
        let time = line["time"].as_str().expect("a text");
        assert!(time.len() > 19 && time.ends_with('Z'), "{time}");
        assert_eq!(&time[10..11], "T", "{time}");
    }
}

#[test]
fn what_is_wrong_in_the_file_is_named() {
    for (path, value, words) in [
        ("ociVersion", json!("2.0.0"), "ociVersion"),
        ("ociVersion", json!("one"), "ociVersion"),
        ("process/args", json!([]), "process.args"),
        ("process/cwd", json!("tmp"), "process.cwd"),
        ("process/user/uid", json!(-1), "process.user.uid"),
        ("process/oomScoreAdj", json!(2000), "process.oomScoreAdj"),
        (
            "process/rlimits",
            json!([{"type": "RLIMIT_X", "soft": 1,
          "hard": 1}]),
            "process.rlimits",
        ),
        (
            "process/rlimits",
            json!([{"type": "RLIMIT_CORE", "soft": 2,
          "hard": 1}]),
            "process.rlimits",
        ),
        ("process/scheduler", json!({"policy": "SCHED_X"}), "scheduler"),
        (
            "process/ioPriority",
            json!({"class": "IOPRIO_CLASS_BE",
          "priority": 8}),
            "process.ioPriority.priority",
        ),
        ("linux/namespaces", json!([{"type": "moon"}]), "linux.namespaces"),
        (
            "linux/namespaces",
            json!([{"type": "pid"}, {"type": "pid"}]),
            "linux.namespaces",
        ),
        (
            "linux/namespaces",
            json!([{"type": "mount"}, {"type": "user"}]),
            "uts namespace",
        ),
        ("linux/personality", json!({"domain": "MOON"}), "personality"),
        ("linux/memoryPolicy", json!({"mode": "MPOL_X"}), "memoryPolicy"),
        ("linux/intelRdt", json!({"closID": "x"}), "linux.intelRdt"),
        ("linux/timeOffsets", json!({"boottime": {"secs": 1}}), "time"),
        ("root", json!({"path": "nosuch"}), "nosuch"),
        ("hostname", json!(7), "hostname"),
    ] {
        let it = Bundle::new("true", &[(path, value.clone())]);
        let (says, line) = fail(&it);
        assert!(says.contains(words), "{path} {value}: {says}");
        let message = line["msg"].as_str().expect("a text");
        assert!(message.contains(words), "{path} {value}: {message}");
    }
}

#[test]
fn what_is_no_bundle_is_one_error() {
    let it = Bundle::new("true", &[]);
    for (text, words) in
        [("", "EOF"), ("{", "EOF"), ("[]", "invalid"), ("{}", "ociVersion")]
    {
        fs::write(it.folder.join("config.json"), text).expect("write it");
        let (says, _) = fail(&it);
        assert!(says.contains(words), "{text:?}: {says}");
        assert_eq!(says.trim_end().lines().count(), 1, "{says}");
    }
    fs::remove_file(it.folder.join("config.json")).expect("remove it");
    assert!(fail(&it).0.contains("no such file or directory"));
}

#[test]
fn the_version_is_told_as_engines_read_it() {
    let it = Bundle::new("true", &[]);
    let text = it.good(&["--version"]);
    assert!(text.starts_with("step12 version "), "{text}");
    assert!(text.ends_with("\nspec: 1.3.0\n"), "{text}");
}
