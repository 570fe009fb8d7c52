//! Blindfolds that are made, shared, or left out.

use serde_json::{Value, json};

use crate::Bundle;

const WAITS: &str = "echo begun; while :; do sleep 0.1; done";

fn kinds(names: &[&str]) -> Value {
    names.iter().map(|kind| json!({ "type": kind })).collect()
}

#[test]
fn what_is_not_named_stays_the_callers() {
    let it = Bundle::new(
        WAITS,
        &[
            ("linux/namespaces", kinds(&["mount", "pid"])),
            ("hostname", json!("")),
        ],
    );
    it.start();
    let pid = it.pid();
    for kind in ["uts", "net", "ipc", "user", "cgroup", "time"] {
        let its = witness::namespace(pid, kind);
        assert_eq!(its, witness::namespace("self", kind), "{kind}");
    }
}

#[test]
fn a_pod_shares_what_its_first_has_made() {
    let first = Bundle::new(WAITS, &[]);
    first.start();
    let pid = first.pid();
    // A second one, in the turn of the first.
    let path = first.folder.join("second");
    std::fs::create_dir(&path).expect("make it");
    let mut config = first.config();
    let join = |kind: &str, file: &str| json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") });
    config["linux"]["namespaces"] = json!([
        join("network", "net"), join("ipc", "ipc"), join("uts", "uts"),
        join("pid", "pid"), { "type": "mount" }, { "type": "cgroup" },
    ]);
    config["linux"]["cgroupsPath"] = json!(format!("/{}/second", first.id));
    config["hostname"] = json!("");
    config["process"]["args"] = json!(["sh", "-c", "echo $$; ps"]);
    std::fs::write(path.join("config.json"), config.to_string())
        .expect("write it");
    let path = path.display().to_string();
    let id = format!("{}-second", first.id);
    let says = first.good(&["run", "--bundle", &path, &id]);
    let (number, others) = says.split_once('\n').expect("a line");
    assert_ne!(number, "1", "it is not the first there");
    assert!(others.contains("echo begun"), "it sees the other: {others}");
}

#[test]
fn another_kind_than_the_file_is_of_is_an_error() {
    let uts = json!([
        { "type": "mount" }, { "type": "pid" },
        { "type": "network", "path": "/proc/self/ns/uts" },
    ]);
    let it = Bundle::new(
        "true",
        &[("linux/namespaces", uts), ("hostname", json!(""))],
    );
    let report = it.try_create(&[]);
    assert_eq!(report.status, 1);
    let words = "is not a namespace of this kind";
    assert!(report.stderr.contains(words), "{}", report.stderr);
    it.is_gone();
}

#[test]
fn root_inside_is_somebody_else_outside() {
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    let all = ["mount", "pid", "uts", "ipc", "network", "cgroup", "user"];
    let it = Bundle::new(
        "id -u; id -g; cat /proc/self/uid_map",
        &[
            ("linux/namespaces", kinds(&all)),
            ("linux/uidMappings", map.clone()),
            ("linux/gidMappings", map),
        ],
    );
    let report = it.run_it();
    assert_eq!(report.status, 0, "{}", report.stderr);
    let says: Vec<&str> = report.stdout.split_whitespace().collect();
    assert_eq!(says, ["0", "0", "0", "100000", "65536"]);
}

#[test]
fn the_clocks_of_a_time_namespace_are_shifted() {
    let script = "cat /proc/uptime; cat /proc/self/timens_offsets";
    let it = Bundle::new(
        script,
        &[
            ("linux/namespaces", kinds(&["mount", "pid", "uts", "time"])),
            (
                "linux/timeOffsets",
                json!({
                    "boottime": { "secs": 86_400, "nanosecs": 5 },
                    "monotonic": { "secs": 7 },
                }),
            ),
        ],
    );
    let report = it.run_it();
    assert_eq!(report.status, 0, "{}", report.stderr);
    let words: Vec<&str> = report.stdout.split_whitespace().collect();
    assert!(words.windows(3).any(|it| it == ["boottime", "86400", "5"]));
    assert!(words.windows(3).any(|it| it == ["monotonic", "7", "0"]));
    let uptime: f64 = words[0].parse().expect("a number");
    assert!(uptime > 86_400.0, "{uptime}");
}
