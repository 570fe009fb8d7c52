//! What belongs to the process alone.

use serde_json::json;

use crate::Bundle;

#[test]
fn powers_limits_and_user_are_as_named() {
    let script = "id -u; id -G; umask; ulimit -n; ulimit -Hn; \
                  grep -E '^(Cap|NoNew)' /proc/self/status; \
                  cat /proc/self/oom_score_adj; uname -m; pwd";
    let it = Bundle::new(
        script,
        &[
            (
                "process/user",
                json!({
                    "uid": 7, "gid": 8, "additionalGids": [9], "umask": 0o77,
                }),
            ),
            (
                "process/capabilities",
                json!({
                    "bounding": ["CAP_KILL", "CAP_CHOWN"],
                    "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"],
                    "effective": ["CAP_KILL"], "ambient": ["CAP_KILL"],
                }),
            ),
            (
                "process/rlimits",
                json!([
                    { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 },
                ]),
            ),
            ("process/oomScoreAdj", json!(500)),
            ("process/cwd", json!("/tmp")),
        ],
    );
    let report = it.run_it();
    assert_eq!(report.status, 0, "{}", report.stderr);
    let says: Vec<&str> = report.stdout.lines().collect();
    assert_eq!(says[..5], ["7", "8 9", "0077", "100", "200"]);
    let kill = "0000000000000020";
    for (at, set) in ["Inh", "Prm", "Eff"].into_iter().enumerate() {
        assert_eq!(says[5 + at], format!("Cap{set}:\t{kill}"));
    }
    assert_eq!(says[8], "CapBnd:\t0000000000000021");
    assert_eq!(says[9], format!("CapAmb:\t{kill}"));
    assert_eq!(says[10], "NoNewPrivs:\t1");
    assert_eq!((says[11], says[13]), ("500", "/tmp"));
}

#[test]
fn only_the_descriptors_that_are_named_are_passed_on() {
    // No pipe: its ends would be among them, for a moment.
    let script = "for n in 3 4 5 6; do [ ! -e /proc/$$/fd/$n ] || echo $n; \
                  done; cat <&3";
    let it = Bundle::new(script, &[]);
    let path = it.folder.path().display().to_string();
    let given = it.folder.join("given").display().to_string();
    std::fs::write(&given, "words").expect("write it");
    let root = it.root().display().to_string();
    let step12 = crate::STEP12;
    let line = format!(
        "exec 3<{given} 5<{given}; \
         {step12} --root {root} run --preserve-fds 1 --bundle {path} {}",
        it.id
    );
    let output = witness::output(witness::command("sh").args(["-c", &line]));
    let says = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(says.ends_with("words"), "{says} {errors}");
    let numbers: Vec<&str> = says.split_whitespace().collect();
    assert_eq!(numbers, ["3", "words"]);
}

#[test]
fn an_unknown_capability_is_a_warning() {
    let it = Bundle::new("true", &[]);
    it.change(&[("process/capabilities/bounding", json!(["CAP_MOON"]))]);
    it.change(&[("process/capabilities/effective", json!([]))]);
    it.change(&[("process/capabilities/permitted", json!([]))]);
    let report = it.run_it();
    assert_eq!(report.status, 0, "{}", report.stderr);
    let words = "ignoring unknown or unavailable capabilities: [CAP_MOON]";
    assert!(report.stderr.contains(words), "{}", report.stderr);
}

#[test]
fn a_pipe_belongs_to_the_user_who_has_it() {
    // As images do that write their logs to /dev/stdout.
    let it = Bundle::new(
        "echo words >/dev/stdout",
        &[("process/user", json!({ "uid": 7, "gid": 7 }))],
    );
    let report = it.run_it();
    assert_eq!(report.stdout, "words\n", "{}", report.stderr);
}

/// Up to version 1.2 a 0 was how one wrote that there is no limit.
#[test]
fn a_limit_of_no_processes_is_none_in_an_old_file() {
    for (version, right) in [("1.0.2-dev", 0), ("1.2.1", 0), ("1.3.0", 2)] {
        let it = Bundle::new(
            "(echo another process); true",
            &[
                ("ociVersion", json!(version)),
                ("linux/resources", json!({ "pids": { "limit": 0 } })),
            ],
        );
        let report = it.run_it();
        assert_eq!(report.status, right, "{version}: {}", report.stderr);
    }
}
