//! What is written for which field, in no group at all.

use super::*;

/// `FILE TEXT` of each setting.
fn lines(json: &str) -> Vec<String> {
    updated(json, |_| None)
}

fn updated(json: &str, now: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let resources = serde_json::from_str(json).expect("JSON");
    let all = settings(&resources, now).expect("settings");
    all.iter().map(|it| format!("{} {}", it.file, it.text)).collect()
}

fn refused(json: &str) -> String {
    let resources = serde_json::from_str(json).expect("JSON");
    let error = settings(&resources, |_| None).expect_err("refused");
    format!("{error:#}")
}

#[test]
fn what_docker_always_sends_limits_nothing() {
    let json = r#"{"memory": {"disableOOMKiller": false, "swappiness":
        18446744073709551615, "kernel": 0, "kernelTCP": -1, "useHierarchy":
        true, "limit": 0}, "cpu": {"shares": 0, "realtimeRuntime": 0,
        "realtimePeriod": 0, "quota": 0, "period": 0},
        "blockIO": {"weight": 0, "leafWeight": 0}, "network":
        {"classID": 0, "priorities": []}, "pids": {}}"#;
    assert_eq!(lines(json), [""; 0]);
}

#[test]
fn memory_and_swap() {
    let json = r#"{"memory": {"limit": 64, "swap": 100, "reservation": 32}}"#;
    let right = ["memory.swap.max 36", "memory.max 64", "memory.low 32"];
    assert_eq!(lines(json), right);
    let json = r#"{"memory": {"limit": -1, "reservation": -1}}"#;
    let right = ["memory.swap.max max", "memory.max max", "memory.low max"];
    assert_eq!(lines(json), right);
    // An update of one leaves the other, and knows it.
    let now = |file: &str| (file == "memory.max").then(|| "64".to_owned());
    let sum = updated(r#"{"memory": {"swap": 100}}"#, now);
    assert_eq!(sum, ["memory.swap.max 36"]);
    assert_eq!(updated(r#"{"memory": {"reservation": 9}}"#, now).len(), 1);
    assert!(refused(r#"{"memory": {"swap": 1}}"#).contains("memory.swap"));
}

#[test]
fn cpu_time() {
    let both = r#"{"cpu": {"quota": 50000, "period": 200000, "burst": 7}}"#;
    assert_eq!(lines(both), ["cpu.max.burst 7", "cpu.max 50000 200000"]);
    assert_eq!(lines(r#"{"cpu": {"quota": 50000}}"#), ["cpu.max 50000"]);
    assert_eq!(lines(r#"{"cpu": {"quota": -1}}"#), ["cpu.max max"]);
    let period = r#"{"cpu": {"period": 200000}}"#;
    assert_eq!(lines(period), ["cpu.max max 200000"]);
    let now = |file: &str| (file == "cpu.max").then(|| "7000 100000".into());
    assert_eq!(updated(period, now), ["cpu.max 7000 200000"]);
    let rest = r#"{"cpu": {"shares": 1024, "idle": 1, "cpus": "0-1",
        "mems": "0"}}"#;
    let right =
        ["cpu.idle 1", "cpu.weight 100", "cpuset.cpus 0-1", "cpuset.mems 0"];
    assert_eq!(lines(rest), right);
}

#[test]
fn pids_pages_cards() {
    let pids = |limit| {
        lines(&format!(r#"{{"pids": {{"limit": {limit}}}}}"#))[0].clone()
    };
    assert_eq!(pids(7), "pids.max 7");
    assert_eq!((&*pids(0), &*pids(-1)), ("pids.max 1", "pids.max max"));
    let pages = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}"#;
    assert_eq!(lines(pages), ["hugetlb.2MB.max 4", "hugetlb.2MB.rsvd.max 4"]);
    let cards = r#"{"rdma": {"mlx4": {"hcaObjects": 2}, "mlx5":
        {"hcaHandles": 3, "hcaObjects": 4}}}"#;
    let right = [
        "rdma.max mlx4 hca_object=2",
        "rdma.max mlx5 hca_handle=3 hca_object=4",
    ];
    assert_eq!(lines(cards), right);
    let bad = r#"{"hugepageLimits": [{"pageSize": "../x", "limit": 4}]}"#;
    assert!(refused(bad).contains("hugepageLimits"));
    assert!(refused(r#"{"rdma": {"a b": {}}}"#).contains("rdma"));
}

#[test]
fn disks() {
    let json = r#"{"blockIO": {"weight": 500, "weightDevice":
        [{"major": 8, "minor": 0, "weight": 100}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 9}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}]}}"#;
    let right = [
        "io.bfq.weight default 500",
        "io.bfq.weight 8:0 100",
        "io.max 8:0 rbps=9",
        "io.max 8:16 wiops=max",
    ];
    assert_eq!(lines(json), right);
    let bad = r#"{"blockIO": {"throttleReadBpsDevice": [{"major": -1,
        "minor": 0, "rate": 9}]}}"#;
    assert!(refused(bad).contains("no disk -1:0"));
}

#[test]
fn files_by_their_names() {
    let json = r#"{"unified": {"io.max": "8:0 rbps=1\n8:16 wbps=2\n",
        "cpu.idle": " 1 "}}"#;
    let right = ["cpu.idle 1", "io.max 8:0 rbps=1", "io.max 8:16 wbps=2"];
    assert_eq!(lines(json), right);
    for bad in [
        "cgroup.procs",
        "cgroup.threads",
        "../x.max",
        "a/b.max",
        ".max",
        "max",
        "",
        "cpu.\\u0000",
    ] {
        let why = refused(&format!(r#"{{"unified": {{"{bad}": "1"}}}}"#));
        assert!(why.contains("unified"), "{bad}: {why}");
    }
}

#[test]
fn what_v2_cannot_do_is_named() {
    for (field, json) in [
        ("memory.swappiness", r#"{"memory": {"swappiness": 60}}"#),
        (
            "memory.disableOOMKiller",
            r#"{"memory": {"disableOOMKiller": true}}"#,
        ),
        ("cpu.realtimeRuntime", r#"{"cpu": {"realtimeRuntime": 1}}"#),
        ("cpu.realtimePeriod", r#"{"cpu": {"realtimePeriod": 1}}"#),
        ("network.classID", r#"{"network": {"classID": 1}}"#),
        (
            "network.priorities",
            r#"{"network": {"priorities": [{"name": "lo", "priority": 1}]}}"#,
        ),
        ("blockIO.leafWeight", r#"{"blockIO": {"leafWeight": 10}}"#),
    ] {
        let why = refused(json);
        assert!(why.contains(&format!("linux.resources.{field} ")), "{why}");
    }
}
