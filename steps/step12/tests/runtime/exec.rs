//! One more process in a container.

use std::fs;

use serde_json::json;
use witness::process;

use crate::Bundle;

const WAITS: &str = "echo begun; while :; do sleep 0.1; done";

#[test]
fn it_is_in_the_same_container() {
    let it = Bundle::new(WAITS, &[]);
    it.start();
    it.says("begun");
    let pid = it.pid();
    let file = it.folder.join("pid").display().to_string();
    it.exec_detached(&["--pid-file", &file], &["sleep", "1000"]);
    let other: i32 = it.read("pid").parse().expect("a number");
    let owner = process::status(other, "PPid");
    assert_eq!(owner, Some(std::process::id().to_string()));
    for kind in ["uts", "pid", "mnt", "net", "ipc", "cgroup", "user"] {
        let its = witness::namespace(other, kind);
        assert_eq!(its, witness::namespace(pid, kind), "{kind}");
    }
    for field in ["CapBnd", "CapEff", "Seccomp", "NoNewPrivs"] {
        let its = process::status(other, field);
        assert_eq!(its, process::status(pid, field), "{field}");
    }
    let group = |pid| fs::read_to_string(format!("/proc/{pid}/cgroup"));
    assert_eq!(group(other).expect("read"), group(pid).expect("read"));
}

#[test]
fn its_status_is_the_commands() {
    let it = Bundle::new(WAITS, &[]);
    it.start();
    let report = it.run(&["exec", &it.id, "sh", "-c", "echo in; exit 5"]);
    assert_eq!((report.status, &*report.stdout), (5, "in\n"));
    let flags = ["exec", "-e", "A=b", "--cwd", "/tmp", "-u", "7:8", "-g", "9"];
    let script = "echo $A; pwd; id -u; id -G; umask";
    let says = it.good(&[&flags[..], &[&it.id, "sh", "-c", script]].concat());
    assert_eq!(says, "b\n/tmp\n7\n8 9\n0022\n");
    let says = it.bad(&["exec", &it.id, "nosuch"]);
    assert!(says.contains("executable file not found in $PATH"), "{says}");
    let says = it.bad(&["exec", &it.id, "/etc"]);
    assert!(says.contains("is a directory"), "{says}");
    let says = it.bad(&["exec", &it.id, "/etc/passwd"]);
    assert!(says.contains("permission denied"), "{says}");
}

#[test]
fn a_file_can_say_what_is_executed() {
    let it = Bundle::new(WAITS, &[]);
    it.start();
    let process = json!({
        "args": ["sh", "-c", "echo $A; pwd; grep CapEff /proc/self/status"],
        "cwd": "/tmp", "env": ["PATH=/bin", "A=b"],
        "user": { "uid": 0, "gid": 0 },
    });
    let path = it.folder.join("process.json");
    fs::write(&path, process.to_string()).expect("write it");
    let path = path.display().to_string();
    let says = it.good(&["exec", "--process", &path, &it.id]);
    assert_eq!(says, "b\n/tmp\nCapEff:\t0000000000000000\n");
    fs::write(&path, "{\"args\": []}").expect("write it");
    let says = it.bad(&["exec", "--process", &path, &it.id]);
    assert!(says.contains("process.args must not be empty"), "{says}");
}

#[test]
fn nobody_walks_into_what_has_ended() {
    let it = Bundle::new("true", &[]);
    it.start();
    it.becomes("stopped");
    let says = it.bad(&["exec", &it.id, "true"]);
    assert!(says.contains("cannot exec in a stopped container"), "{says}");
}
