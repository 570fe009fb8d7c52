//! Device nodes.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::bundle::Bundle;

const LOOK: &str = "stat -c '%F %t:%T %a %u:%g'";

#[test]
fn every_container_has_the_same_harmless_devices() {
    let mut bundle = Bundle::new();
    let names = "null zero full random urandom tty";
    let script = format!(
        "cd /dev; {LOOK} {names}; for it in fd stdin ptmx; do readlink $it; done"
    );
    let device = |number| format!("character special file {number} 666 0:0");
    let mut right: Vec<String> =
        ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"].map(device).into();
    right.extend(
        ["/proc/self/fd", "/proc/self/fd/0", "pts/ptmx"].map(Into::into),
    );
    assert_eq!(bundle.lines(&script), right);
}

#[test]
fn devices_of_config_json_come_beside_them() {
    let mut bundle = Bundle::new();
    bundle.config["linux"]["devices"] = json!([
        { "path": "/dev/null", "type": "c", "major": 1, "minor": 3,
          "fileMode": 0o600, "uid": 3, "gid": 4 },
        { "path": "/srv/new/disk", "type": "b", "major": 7, "minor": 700 },
        { "path": "/dev/pipe", "type": "p", "fileMode": 0o640 },
        { "path": "/dev/u", "type": "u", "major": 1, "minor": 5 },
    ]);
    let script = format!("{LOOK} /dev/null /srv/new/disk /dev/pipe /dev/u");
    let right = [
        "character special file 1:3 600 3:4",
        "block special file 7:2bc 666 0:0",
        "fifo 0:0 640 0:0",
        "character special file 1:5 666 0:0",
    ];
    assert_eq!(bundle.lines(&script), right);
}

#[test]
fn something_else_of_that_name_is_an_error() {
    for (path, make) in [("null", false), ("zero", true)] {
        let mut bundle = Bundle::new();
        bundle.without_mounts();
        let name = bundle.root("dev").join(path);
        match make {
            true => fs::write(&name, "").expect("make a file"),
            false => symlink("/etc/passwd", &name).expect("make a link"),
        }
        let error = bundle.error();
        assert!(error.contains("is not the device c 1:"), "{error}");
    }
}

#[test]
fn numbers_and_types_that_there_are_not_are_refused_at_once() {
    for (device, why) in [
        (json!({ "type": "x" }), "there is no type \"x\""),
        (json!({ "type": "c", "major": -1 }), "there is no -1:0"),
        (json!({ "type": "b", "minor": 1 << 20 }), "there is no 0:1048576"),
    ] {
        let mut bundle = Bundle::new();
        bundle.config["linux"]["devices"] = json!([device]);
        bundle.config["linux"]["devices"][0]["path"] = json!("/dev/x");
        let error = bundle.error();
        assert!(error.contains("linux.devices[0] \"/dev/x\""), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn where_dev_is_the_machines_nothing_is_made() {
    let mut bundle = Bundle::new();
    let dev = bundle.machines("dev");
    bundle.config["mounts"][1] = json!({
        "destination": "/dev", "source": dev, "options": ["bind", "ro"],
    });
    assert_eq!(bundle.lines("ls /dev"), ["file"]);
    let made = fs::read_dir(bundle.path("dev")).expect("look").count();
    assert_eq!(made, 1, "the machine's folder is as it was");
}

#[test]
fn a_stream_that_is_dev_null_is_the_containers_own() {
    let mut bundle = Bundle::new();
    // The standard input of every test here.
    let script = "stat -L -c %d /proc/self/fd/0 /dev/null";
    let lines = bundle.lines(script);
    assert_eq!(lines[0], lines[1]);
}
