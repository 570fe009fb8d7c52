//! Programs that are run beside.

use serde_json::{Value, json};
use witness::eventually;

use crate::Bundle;

/// A hook that writes its name, and the status that it is told, into a file.
fn hook(it: &str, name: &str) -> Value {
    let script = format!(
        "printf '{name} ' >>{it}; \
         sed -n 's/.*\"status\": *\"\\([a-z]*\\)\".*/\\1/p' >>{it}"
    );
    json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }])
}

#[test]
fn each_has_its_moment_and_is_told_the_state() {
    let it = Bundle::new("echo begun", &[]);
    let log = it.folder.join("log").display().to_string();
    let names = [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ];
    let mut hooks = json!({});
    for name in names {
        hooks[name] = hook(&log, name);
    }
    // Inside, where it has only the streams to write to: none of its own.
    let script = "test \"$(cat)\" && test -d /proc/1";
    hooks["startContainer"] =
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
    it.change(&[("hooks", hooks)]);
    it.create(&[]);
    let log = || it.read("log");
    let so_far = "prestart creating\ncreateRuntime creating\n\
                  createContainer creating\n";
    assert_eq!(log(), so_far);
    assert_eq!(it.said(), "");
    it.good(&["start", &it.id]);
    eventually("poststart", || log().contains("poststart"));
    it.becomes("stopped");
    it.good(&["delete", &it.id]);
    assert!(log().ends_with("poststop stopped\n"), "{}", log());
    assert_eq!(log().lines().count(), 5);
}

#[test]
fn one_that_fails_or_takes_too_long_ends_it_all() {
    let fails = |script: &str| {
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script],
                 "timeout": 1 }])
    };
    let it = Bundle::new("echo begun", &[]);
    for kind in ["prestart", "createRuntime", "createContainer"] {
        for (script, why) in [
            ("echo oh dear >&2; exit 3", "exit status 3, output: oh dear"),
            ("kill -9 $$", "signal 9"),
            ("sleep 1000", "longer than its timeout"),
        ] {
            it.change(&[("hooks", json!({ kind: fails(script) }))]);
            let report = it.try_create(&[]);
            assert_eq!(report.status, 1, "{kind} {script}");
            let says = report.stderr;
            assert!(says.contains(kind) && says.contains(why), "{says}");
            it.is_gone();
        }
    }
    it.change(&[("hooks", json!({ "startContainer": fails("exit 4") }))]);
    it.create(&[]);
    let says = it.bad(&["start", &it.id]);
    assert!(says.contains("startContainer hook #0: exit status 4"), "{says}");
    it.becomes("stopped");
    it.good(&["delete", &it.id]);
    it.change(&[("hooks", json!({ "poststart": fails("exit 5") }))]);
    it.create(&[]);
    assert!(it.bad(&["start", &it.id]).contains("poststart hook #0"));
    it.is_gone();
}

#[test]
fn a_hook_that_cannot_be_is_found_before_anything_is_made() {
    for (hook, why) in [
        (json!({ "path": "sh" }), "path must be absolute"),
        (json!({ "path": "/bin/sh", "timeout": 0 }), "greater than zero"),
        (json!({ "path": "/bin/sh", "args": 1 }), "hooks.prestart[0].args"),
    ] {
        let hooks = json!({ "prestart": [hook] });
        let it = Bundle::new("true", &[("hooks", hooks)]);
        let report = it.try_create(&[]);
        assert_eq!(report.status, 1);
        assert!(report.stderr.contains(why), "{}", report.stderr);
        it.is_gone();
    }
}
