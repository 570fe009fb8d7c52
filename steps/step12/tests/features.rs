//! `step12 features` against the specification's own lists, and against what
//! config.json may really say.

use serde_json::{Value, json};
use step12::config::seccomp::Seccomp;
use step12::config::{Config, Linux};
use step12::seccomp::Filter;

fn features() -> Value {
    let mut command = witness::command(env!("CARGO_BIN_EXE_step12"));
    let output = witness::output(command.arg("features"));
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// Every member that features.md and features-linux.md of version 1.3 know,
/// and the type of its value. No others may be there.
fn form() -> Value {
    let (text, yes) = (json!("text"), json!(true));
    let list = json!([text]);
    json!({
        "ociVersionMin": text, "ociVersionMax": text, "hooks": list,
        "mountOptions": list, "annotations": {},
        "potentiallyUnsafeConfigAnnotations": [],
        "linux": {
            "namespaces": list, "capabilities": list,
            "cgroup": { "v1": yes, "v2": yes, "systemd": yes,
                "systemdUser": yes, "rdma": yes },
            "seccomp": { "enabled": yes, "actions": list, "operators": list,
                "archs": list, "knownFlags": list, "supportedFlags": list },
            "apparmor": { "enabled": yes }, "selinux": { "enabled": yes },
            "intelRdt": { "enabled": yes, "schemata": yes,
                "monitoring": yes },
            "memoryPolicy": { "modes": list, "flags": list },
            "mountExtensions": { "idmap": { "enabled": yes } },
            "netDevices": { "enabled": yes },
        },
    })
}

fn compare(path: &str, found: &Value, form: &Value) {
    match (found, form) {
        (Value::Object(found), Value::Object(form)) => {
            if form.is_empty() {
                return;
            }
            let keys = |map: &serde_json::Map<String, Value>| {
                let mut keys: Vec<_> = map.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(found), keys(form), "{path}");
            for (key, value) in found {
                compare(&format!("{path}.{key}"), value, &form[key]);
            }
        }
        (Value::Array(found), Value::Array(_)) => {
            assert!(found.iter().all(Value::is_string), "{path}");
        }
        (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn it_has_the_form_of_the_specification() {
    compare("features", &features(), &form());
    // Control: another form is seen.
    let mut other = form();
    other["linux"]["netDevices"]["count"] = json!("1");
    let found = features();
    let compared = std::panic::catch_unwind(|| {
        compare("features", &found, &other);
    });
    assert!(compared.is_err());
}

/// The specification's mount options, but for those that it says need not be
/// known, and what the engines ask for by name.
#[test]
fn its_lists_have_what_callers_look_for() {
    let features = features();
    assert_eq!(features["ociVersionMin"], "1.0.0");
    assert_eq!(features["ociVersionMax"], "1.3.0");
    let options = texts(&features["mountOptions"]);
    assert!(options.is_sorted(), "{options:?}");
    let wanted = "async atime bind defaults dev diratime dirsync exec \
        iversion lazytime loud mand noatime nodev nodiratime noexec \
        noiversion nolazytime nomand norelatime nostrictatime nosuid \
        nosymfollow private ratime rbind rdev rdiratime relatime remount \
        rexec rnoatime rnodev rnodiratime rnoexec rnorelatime \
        rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw \
        rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared \
        silent slave strictatime suid symfollow sync tmpcopyup unbindable";
    for option in wanted.split_whitespace() {
        assert!(options.contains(&option), "{option}");
    }
    let linux = &features["linux"];
    let kinds = texts(&linux["namespaces"]);
    let all = "cgroup ipc mount network pid time user uts";
    assert_eq!(kinds, all.split(' ').collect::<Vec<_>>());
    let capabilities = texts(&linux["capabilities"]);
    assert_eq!(capabilities.len(), 41);
    assert_eq!(capabilities[21], "CAP_SYS_ADMIN");
    let hooks = texts(&features["hooks"]);
    assert_eq!(hooks.first(), Some(&"prestart"));
    assert_eq!(hooks.len(), 6);
    let idmap = &linux["mountExtensions"]["idmap"]["enabled"];
    assert_eq!(*idmap, json!(true));
}

/// What is listed is really taken; and one that is not is not.
#[test]
fn what_it_lists_is_understood() {
    let features = features();
    let seccomp = &features["linux"]["seccomp"];
    let build = |action: &str, op: &str, arch: &str, flag: &str| {
        let profile: Seccomp = serde_json::from_value(json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": [arch],
            "flags": [flag], "listenerPath": "/run/agent",
            "syscalls": [
                { "names": ["kill"], "action": "SCMP_ACT_NOTIFY" },
                { "names": ["mkdir"], "action": action,
                    "args": [{ "index": 1, "value": 1, "op": op }] }],
        }))
        .unwrap();
        Filter::build(&profile).map(drop)
    };
    let [first, eq] = ["SCMP_ACT_ERRNO", "SCMP_CMP_EQ"];
    let [arch, log] = ["SCMP_ARCH_X86", "SECCOMP_FILTER_FLAG_LOG"];
    for action in texts(&seccomp["actions"]) {
        build(action, eq, arch, log).unwrap();
    }
    for op in texts(&seccomp["operators"]) {
        build(first, op, arch, log).unwrap();
    }
    for arch in texts(&seccomp["archs"]) {
        build(first, eq, arch, log).unwrap();
    }
    for flag in texts(&seccomp["supportedFlags"]) {
        build(first, eq, arch, flag).unwrap();
    }
    assert_eq!(seccomp["supportedFlags"], seccomp["knownFlags"]);
    for wrong in [
        build("SCMP_ACT_X", eq, arch, log),
        build(first, "SCMP_CMP_X", arch, log),
        build(first, eq, "SCMP_ARCH_X", log),
        build(first, eq, arch, "SECCOMP_FILTER_FLAG_X"),
    ] {
        assert!(wrong.is_err());
    }
}

/// Namespaces, versions, and what it says it has not.
#[test]
fn what_it_does_not_list_is_an_error() {
    let check = |version: &Value, mut linux: Value| {
        linux["namespaces"] = json!([{ "type": "mount" }]);
        let config: Config = serde_json::from_value(json!({
            "ociVersion": version, "linux": linux }))
        .unwrap();
        config.check()
    };
    let features = features();
    for version in ["ociVersionMin", "ociVersionMax"] {
        check(&features[version], json!({})).unwrap();
    }
    for kind in texts(&features["linux"]["namespaces"]) {
        let linux = json!({ "namespaces": [{ "type": kind }] });
        let linux: Linux = serde_json::from_value(linux).unwrap();
        linux.namespaces[0].flag().unwrap();
    }
    let linux = json!({ "namespaces": [{ "type": "moon" }] });
    let linux: Linux = serde_json::from_value(linux).unwrap();
    assert!(linux.namespaces[0].flag().is_err());
    assert_eq!(features["linux"]["intelRdt"]["enabled"], json!(false));
    let rdt = json!({ "intelRdt": { "closID": "x" } });
    assert!(check(&json!("1.3.0"), rdt).is_err());
}
