//! The limits, in the words of systemd.resource-control(5).
//!
//! systemd writes the kernel's files itself, when the unit starts and each
//! time when somebody reloads it. So it has to know what we will write there,
//! or would undo it. What it has no word for it leaves alone.

use anyhow::{Context, Result};

use super::bus::Value;
use crate::cgroup::devices::{Kind, Rule, allow_all};
use crate::cgroup::files::Setting;
use crate::cgroup::stats::list;

/// A property, by its name.
type Property = (String, Value);

/// The files that hold one number, and its name with systemd.
const NUMBERS: [(&str, &str); 10] = [
    ("memory.max", "MemoryMax"),
    ("memory.high", "MemoryHigh"),
    ("memory.low", "MemoryLow"),
    ("memory.min", "MemoryMin"),
    ("memory.swap.max", "MemorySwapMax"),
    ("pids.max", "TasksMax"),
    ("cpu.weight", "CPUWeight"),
    // Of cgroup v1.
    ("memory.limit_in_bytes", "MemoryLimit"),
    ("cpu.shares", "CPUShares"),
    ("blkio.weight", "BlockIOWeight"),
];

/// The files that hold a list, and its name with systemd.
const LISTS: [(&str, &str); 2] =
    [("cpuset.cpus", "AllowedCPUs"), ("cpuset.mems", "AllowedMemoryNodes")];

/// What systemd has to know of these.
///
/// # Errors
/// A text that is no number where one must be.
pub(super) fn of_settings(settings: &[Setting]) -> Result<Vec<Property>> {
    let mut all = Vec::new();
    for setting in settings {
        let found = of_setting(&setting.file, setting.text.trim());
        all.extend(found.with_context(|| {
            format!(
                "linux.resources.{}: {:?} is no number",
                setting.field, setting.text
            )
        })?);
    }
    Ok(all)
}

fn of_setting(file: &str, text: &str) -> Result<Vec<Property>> {
    let name = |list: &[(&str, &'static str)]| {
        let found = list.iter().find(|(of, _)| *of == file);
        found.map(|(_, name)| (*name).to_owned())
    };
    if let Some(name) = name(&NUMBERS) {
        return Ok(vec![(name, Value::Number(number(text)?))]);
    }
    if let Some(name) = name(&LISTS) {
        return Ok(vec![(name, Value::Bytes(mask(text)))]);
    }
    match file {
        "cpu.max" => cpu_max(text),
        _ => Ok(Vec::new()),
    }
}

/// `max`, or -1 with v1, is the largest number that there is.
fn number(text: &str) -> Result<u64> {
    match text {
        "max" | "-1" => Ok(u64::MAX),
        text => Ok(text.parse()?),
    }
}

/// A bit for each number of the list, the lowest first.
fn mask(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in list(text) {
        let (byte, bit) = (usize::from(number / 8), number % 8);
        if bytes.len() <= byte {
            bytes.resize(byte + 1, 0);
        }
        bytes[byte] |= 1 << bit;
    }
    bytes
}

/// systemd counts the quota for each second and in steps of 10 ms. It is the
/// larger one that it must know: we write the exact one to the file.
fn cpu_max(text: &str) -> Result<Vec<Property>> {
    const STEP: u64 = 10_000;
    let mut words = text.split_whitespace();
    let quota = number(words.next().unwrap_or("max"))?;
    let period = words.next().map(str::parse::<u64>).transpose()?;
    let mut all = Vec::new();
    if let Some(period) = period {
        let name = "CPUQuotaPeriodUSec".to_owned();
        all.push((name, Value::Number(period)));
    }
    let of_second = match quota {
        u64::MAX => u64::MAX,
        quota => {
            let period = u128::from(period.unwrap_or(100_000).max(1));
            let exact = u128::from(quota) * 1_000_000 / period;
            let exact = u64::try_from(exact).unwrap_or(u64::MAX - STEP);
            exact.div_ceil(STEP) * STEP
        }
    };
    all.push(("CPUQuotaPerSecUSec".to_owned(), Value::Number(of_second)));
    Ok(all)
}

/// The devices that are allowed. systemd makes a program of them, too, and
/// both must say yes: so it is enough that it allows no less than ours. What
/// it has no words for (a minor number of each major) makes it allow all.
pub(super) fn of_devices(rules: &[Rule]) -> Vec<Property> {
    let allowed = rules.iter().filter(|rule| rule.allow);
    let entries: Option<Vec<_>> = allowed.map(entry).collect();
    let is_open = allow_all(rules);
    let (policy, entries) = match entries.filter(|_| !is_open) {
        Some(entries) => ("strict", entries.concat()),
        None => ("auto", Vec::new()),
    };
    // What is set is added to what there is, and the empty list takes it away.
    let empty = Value::Pairs(Vec::new());
    let mut all = vec![
        ("DevicePolicy".to_owned(), Value::Text(policy.to_owned())),
        ("DeviceAllow".to_owned(), empty),
    ];
    if !entries.is_empty() {
        all.push(("DeviceAllow".to_owned(), Value::Pairs(entries)));
    }
    all
}

/// `/dev/char/1:3`, `char-136` for a major number, `char-*` for all.
fn entry(rule: &Rule) -> Option<Vec<(String, String)>> {
    let kinds = match rule.kind {
        None => vec![Kind::Block, Kind::Character],
        Some(kind) => vec![kind],
    };
    let path = |kind: Kind| {
        let kind = match kind {
            Kind::Block => "block",
            Kind::Character => "char",
        };
        match (rule.major, rule.minor) {
            (Some(major), Some(minor)) => {
                Some(format!("/dev/{kind}/{major}:{minor}"))
            }
            (Some(major), None) => Some(format!("{kind}-{major}")),
            (None, None) => Some(format!("{kind}-*")),
            (None, Some(_)) => None,
        }
    };
    let text = rule.to_string();
    let access = text.rsplit(' ').next().unwrap_or_default();
    let pair = |kind| Some((path(kind)?, access.to_owned()));
    kinds.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::devices::rules;

    fn of(file: &str, text: &str) -> Vec<(String, Value)> {
        of_settings(&[Setting::new("field", file, text)]).expect(text)
    }

    fn number_of(file: &str, text: &str) -> Vec<(String, u64)> {
        let number = |(name, value)| match value {
            Value::Number(number) => (name, number),
            other => panic!("{other:?}"),
        };
        of(file, text).into_iter().map(number).collect()
    }

    #[test]
    fn limits_have_names_of_their_own() {
        let one = |name: &str, number| vec![(name.to_owned(), number)];
        assert_eq!(number_of("memory.max", "64"), one("MemoryMax", 64));
        assert_eq!(number_of("pids.max", "max"), one("TasksMax", u64::MAX));
        assert_eq!(
            number_of("memory.limit_in_bytes", "-1"),
            one("MemoryLimit", u64::MAX)
        );
        assert!(of("io.max", "8:0 rbps=1").is_empty(), "it has no word");
        let text = Setting::new("unified.pids.max", "pids.max", "many");
        let error = of_settings(&[text]).expect_err("no number").to_string();
        assert!(error.contains("unified.pids.max"), "{error}");
    }

    #[test]
    fn a_quota_is_of_a_second_and_rounded_up() {
        let quota = |text: &str| number_of("cpu.max", text);
        let name = "CPUQuotaPerSecUSec".to_owned();
        assert_eq!(quota("50000"), [(name.clone(), 500_000)]);
        assert_eq!(quota("max"), [(name.clone(), u64::MAX)]);
        let period = "CPUQuotaPeriodUSec".to_owned();
        let right = [(period, 7000), (name, 150_000)];
        assert_eq!(quota("1001 7000"), right);
        quota(&format!("{} 1", i64::MAX));
        quota("5 0");
    }

    #[test]
    fn a_list_of_cpus_is_a_mask() {
        assert_eq!(mask("0-2,9"), [0b111, 0b10]);
        assert_eq!(mask(""), [0u8; 0]);
    }

    #[test]
    fn devices_are_paths_and_majors() {
        let pairs = |json: &str| {
            let given = serde_json::from_str::<Vec<_>>(json).expect("JSON");
            let rules = rules(&given).expect("rules");
            let mut all = of_devices(&rules);
            (all.len(), all.pop().expect("one").1)
        };
        let (_, Value::Pairs(all)) =
            pairs(r#"[{"allow": true, "type": "b", "major": 8, "minor": 1}]"#)
        else {
            panic!("no pairs");
        };
        let has = |path: &str, access: &str| {
            all.contains(&(path.to_owned(), access.to_owned()))
        };
        assert!(has("/dev/block/8:1", "rwm") && has("char-136", "rwm"));
        assert!(has("char-*", "m") && has("block-*", "m"));
        assert!(!has("/dev/char/8:1", "rwm"), "the control");
        let (count, _) = pairs(r#"[{"allow": true, "minor": 1}]"#);
        assert_eq!(count, 2, "no words: an empty list");
        let (count, _) = pairs(r#"[{"allow": true}]"#);
        assert_eq!(count, 2, "all: an empty list");
    }
}
