//! Changes to a config.json: some of form, some of meaning.

use serde_json::{Map, Value, json};

use super::random::Random;

/// Texts that are wrong in one way or another. None names what belongs to the
/// machine: a fault must be seen, and do no harm.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "/",
    ".",
    "..",
    "../../x",
    "/../../../x",
    "//",
    "x",
    "/x/y/z",
    "true",
    "0",
    "-1",
    "99999999999999999999",
    "\u{0}",
    "a\u{0}b",
    "a\nb",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "/escape/made",
    "/absolute/made",
    "/loop",
    "/proc/self/fd/0",
    "/proc/self/exe",
    "/dev/null",
    "%s%n",
    "rootfs",
    "CAP_SYS_ADMIN",
    "SCMP_ACT_KILL",
];

/// What a property may well hold, right or nearly so.
fn fitting(key: &str) -> &'static [&'static str] {
    match key {
        "destination" => &[
            "/",
            "relative",
            "/proc",
            "/proc/self",
            "/dev",
            "/dev/pts",
            "/sys",
            "/new/folder",
            "/escape",
            "/escape/made",
            "/absolute/made",
            "/loop/x",
            "/bin",
            "/bin/true",
            "/a/../../../x",
            "/proc/1/root",
        ],
        "source" => &[
            "given",
            "given/file",
            "given/link",
            "/nonexistent",
            "tmpfs",
            "proc",
            "overlay",
            "/dev/null",
            "/proc",
            "/etc",
            "..",
        ],
        "type" => &[
            "bind",
            "none",
            "tmpfs",
            "proc",
            "sysfs",
            "cgroup",
            "mqueue",
            "devpts",
            "overlay",
            "ext4",
            "c",
            "b",
            "u",
            "p",
            "pid",
            "ipc",
            "uts",
            "mount",
            "network",
            "user",
            "time",
            "cgroup",
            "moon",
            "RLIMIT_NOFILE",
            "RLIMIT_NPROC",
            "RLIMIT_MOON",
        ],
        "options" => &[
            "ro",
            "rw",
            "rro",
            "bind",
            "rbind",
            "shared",
            "rslave",
            "unbindable",
            "idmap",
            "ridmap",
            "tmpcopyup",
            "remount",
            "size=1",
            "mode=9",
            "lowerdir=/",
            "x-y",
            "nosuid",
            "noatime",
            "relatime",
        ],
        "path" => &[
            "rootfs",
            "rootfs/loop",
            "/dev/x",
            "/escape/made",
            "dev/x",
            "/dev/../../x",
            "/nonexistent",
            "/bin/true",
            "/bin/false",
            "/etc/passwd",
            "/proc/self/ns/net",
            "/proc/self/ns/ipc",
            "/proc/self/ns/mnt",
        ],
        "rootfsPropagation" => &["shared", "slave", "unbindable", "moon"],
        "policy" => &["SCHED_IDLE", "SCHED_ISO", "SCHED_DEADLINE", "MOON"],
        "mode" => &["MPOL_LOCAL", "MPOL_BIND", "MPOL_INTERLEAVE", "MOON"],
        "domain" => &["LINUX32", "MOON"],
        "class" => &["IOPRIO_CLASS_IDLE", "IOPRIO_CLASS_RT", "MOON"],
        "action" | "defaultAction" => &[
            "SCMP_ACT_KILL",
            "SCMP_ACT_KILL_PROCESS",
            "SCMP_ACT_TRAP",
            "SCMP_ACT_ERRNO",
            "SCMP_ACT_TRACE",
            "SCMP_ACT_LOG",
            "SCMP_ACT_NOTIFY",
            "SCMP_ACT_ALLOW",
            "SCMP_ACT_MOON",
        ],
        "names" => &["execve", "read", "write", "openat", "futex", "moon"],
        "access" => &["rwm", "r", "", "x"],
        "cpus" | "mems" | "initial" | "final" => &["0", "0-", "9999", "x"],
        _ => &[],
    }
}

/// Only below a group of our own, even for who climbs out of it.
const GROUPS: [&str; 6] = [
    "GROUP",
    "GROUP/a/b",
    "/GROUP/../GROUP/x",
    "GROUP/../../GROUP/y",
    "GROUP//z",
    "GROUP/a\nb",
];

/// Another value of the same type, as a rule, so that what reads it is not
/// always the first to refuse it.
fn another(random: &mut Random, value: &Value, key: &str) -> Value {
    let numbers = [0, 1, 2, 7, 64, 4095, 65_536, 1 << 31, u64::MAX];
    match value {
        Value::Number(_) if random.percent(80) => {
            json!(numbers[random.below(numbers.len())])
        }
        Value::Bool(is) if random.percent(90) => json!(!is),
        Value::String(_) if random.percent(80) => {
            let fitting = fitting(key);
            let is_fitting = !fitting.is_empty() && random.percent(70);
            let list = if is_fitting { fitting } else { &TEXTS };
            match key {
                "cgroupsPath" => random.one(&GROUPS).into(),
                _ => random.one(list).into(),
            }
        }
        _ => other(random, key),
    }
}

/// Any value for the property `key`.
fn other(random: &mut Random, key: &str) -> Value {
    if key == "cgroupsPath" {
        return random.one(&GROUPS).into();
    }
    let fitting = fitting(key);
    if !fitting.is_empty() && random.percent(60) {
        return random.one(fitting).into();
    }
    match random.below(16) {
        0 => Value::Null,
        1 => json!(random.percent(50)),
        2 => json!([-1, 0, 1, 2, 7, 64, 4095][random.below(7)]),
        3 => json!([i64::MIN, -1 << 31, 1 << 31, i64::MAX][random.below(4)]),
        4 => json!(u64::MAX - random.below(2) as u64),
        5 => json!([1.5, -0.0, 1e300][random.below(3)]),
        6 => json!(random.next()),
        7 => json!([]),
        8 => json!({}),
        9 => "a".repeat(random.below(9000)).into(),
        10 => "a/".repeat(random.below(2500)).into(),
        _ => random.one(&TEXTS).into(),
    }
}

/// Changes one to three places.
pub fn mutate(random: &mut Random, config: &mut Value, others: &[Value]) {
    for _ in 0..random.below(3) + 1 {
        let count = size(config);
        let place = random.below(count);
        change(random, config, "", place, others);
    }
}

/// How many values there are, the outermost one too.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Object(members) => members.values().map(size).sum(),
        Value::Array(elements) => elements.iter().map(size).sum::<usize>(),
        _ => 0,
    }
}

/// Changes the value at this place, counted from the outermost.
fn change(
    random: &mut Random,
    value: &mut Value,
    key: &str,
    mut place: usize,
    others: &[Value],
) {
    if place == 0 {
        change_here(random, value, key, others);
        return;
    }
    place -= 1;
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let count = size(member);
                if place < count {
                    return change(random, member, key, place, others);
                }
                place -= count;
            }
        }
        Value::Array(elements) => {
            for element in elements.iter_mut() {
                let count = size(element);
                if place < count {
                    return change(random, element, key, place, others);
                }
                place -= count;
            }
        }
        _ => {}
    }
}

fn change_here(
    random: &mut Random,
    value: &mut Value,
    key: &str,
    others: &[Value],
) {
    match (random.below(10), &mut *value) {
        (0..=3, Value::Object(members)) if !members.is_empty() => {
            change_members(random, members, others);
        }
        (0..=3, Value::Array(elements)) if !elements.is_empty() => {
            change_elements(random, elements, key);
        }
        // What stands under this name elsewhere.
        (4, _) if key != "cgroupsPath" => {
            let source = &others[random.below(others.len())];
            if let Some(found) = find(source, key) {
                *value = found.clone();
            }
        }
        _ => *value = another(random, value, key),
    }
}

fn change_members(
    random: &mut Random,
    members: &mut Map<String, Value>,
    others: &[Value],
) {
    let keys: Vec<String> = members.keys().cloned().collect();
    let key = &keys[random.below(keys.len())];
    match random.below(4) {
        // Without a path of its own it would be a group of the machine's.
        0 if key != "cgroupsPath" => _ = members.remove(key),
        1 => _ = members.insert(random.one(&TEXTS).into(), json!(1)),
        2 => {
            let source = &others[random.below(others.len())];
            let keys = source["linux"].as_object().into_iter().flatten();
            let all: Vec<_> = keys.collect();
            let (key, value) = all[random.below(all.len())];
            if key != "cgroupsPath" {
                members.insert(key.clone(), value.clone());
            }
        }
        _ => {
            let value = another(random, &members[key], key);
            members.insert(key.clone(), value);
        }
    }
}

fn change_elements(random: &mut Random, elements: &mut Vec<Value>, key: &str) {
    let index = random.below(elements.len());
    let element = elements[index].clone();
    match random.below(4) {
        0 => _ = elements.remove(index),
        1 => elements.push(element.clone()),
        2 => elements.extend(vec![element; random.below(300)]),
        _ => elements.insert(index, another(random, &element, key)),
    }
}

/// The first value of this name in there.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members
            .get(key)
            .or_else(|| members.values().find_map(|it| find(it, key))),
        Value::Array(all) => all.iter().find_map(|it| find(it, key)),
        _ => None,
    }
}

/// The file: JSON as a rule, and now and then no more.
pub fn text(random: &mut Random, config: &Value) -> Vec<u8> {
    let mut text = config.to_string().into_bytes();
    match random.below(80) {
        0 => text.truncate(random.below(text.len() + 1)),
        1 => {
            let place = random.below(text.len());
            text[place] = random.next() as u8;
        }
        2 => {
            let deep = random.below(100_000);
            text = vec![b'['; deep];
        }
        3 => text.extend_from_within(..),
        _ => {}
    }
    text
}
