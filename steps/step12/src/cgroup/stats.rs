//! What the container uses, in the JSON of runc's `events --stats`, which
//! monitoring programs read: times in nanoseconds, sizes in bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::files::{keyed, number, read_if_any};
use super::place::{Groups, UNIFIED};

/// All of it. What the kernel does not count is 0, or left out.
pub(crate) fn read(groups: &Groups, is_v1: bool, processes: usize) -> Value {
    let group = |controller: &str| {
        let tree = if is_v1 { controller } else { UNIFIED };
        groups.get(tree).map_or(Path::new("/nowhere"), |path| path)
    };
    let read = Reader { is_v1 };
    let current = number(group("pids"), "pids.current");
    json!({
        "cpu": read.cpu(group("cpu"), group("cpuacct")),
        "cpuset": cpuset(group("cpuset")),
        "memory": read.memory(group("memory")),
        "pids": {
            "current": current.unwrap_or(processes as u64),
            "limit": limit(number(group("pids"), "pids.max")),
        },
        "blkio": read.block_io(group("blkio")),
        "hugetlb": read.hugepages(group("hugetlb")),
        "intel_rdt": {},
        "network_interfaces": null,
    })
}

/// No limit is 0 here.
fn limit(number: Option<u64>) -> u64 {
    number.filter(|&number| number != u64::MAX).unwrap_or(0)
}

struct Reader {
    is_v1: bool,
}

impl Reader {
    /// Time used, and how often the quota of a period was used up. Version 1
    /// counts in nanoseconds, version 2 in microseconds.
    fn cpu(&self, cpu: &Path, accounts: &Path) -> Value {
        let stat = |key| keyed(cpu, "cpu.stat", key).unwrap_or(0);
        let usage = match self.is_v1 {
            true => usage_v1(accounts),
            false => json!({
                "total": stat("usage_usec") * 1000,
                "kernel": stat("system_usec") * 1000,
                "user": stat("user_usec") * 1000,
            }),
        };
        let waited = match self.is_v1 {
            true => stat("throttled_time"),
            false => stat("throttled_usec") * 1000,
        };
        with_pressure(
            cpu,
            "cpu.pressure",
            json!({
                "usage": usage,
                "throttling": {
                    "periods": stat("nr_periods"),
                    "throttledPeriods": stat("nr_throttled"),
                    "throttledTime": waited,
                },
            }),
        )
    }

    /// Of what is used, "cache" is what the kernel could give back: pages of
    /// files. `raw` is memory.stat as it is.
    fn memory(&self, group: &Path) -> Value {
        let raw: Map<String, Value> = pairs(group, "memory.stat")
            .into_iter()
            .map(|(key, number)| (key, number.into()))
            .collect();
        let of = |key: &str| raw.get(key).cloned().unwrap_or(0.into());
        if self.is_v1 {
            let entry = |name| memory_v1(group, name);
            return json!({
                "cache": of("cache"),
                "usage": entry("memory"),
                "swap": entry("memory.memsw"),
                "kernel": entry("memory.kmem"),
                "kernelTCP": entry("memory.kmem.tcp"),
                "raw": raw,
            });
        }
        let get = |file| number(group, file).unwrap_or(0);
        let (used, most) = (get("memory.current"), get("memory.max"));
        let nothing = json!({ "limit": 0, "failcnt": 0 });
        with_pressure(
            group,
            "memory.pressure",
            json!({
                "cache": of("file"),
                "usage": {
                    "limit": most,
                    "usage": used,
                    "max": get("memory.peak"),
                    "failcnt": 0,
                },
                // As v1 counts: memory and swap.
                "swap": {
                    "limit": most.saturating_add(get("memory.swap.max")),
                    "usage": used + get("memory.swap.current"),
                    "failcnt": 0,
                },
                "kernel": nothing,
                "kernelTCP": nothing,
                "raw": raw,
            }),
        )
    }

    /// Bytes and requests, for each disk and direction. In version 1 it is a
    /// matter of the kernel's age and scheduler which file has them.
    fn block_io(&self, group: &Path) -> Value {
        if self.is_v1 {
            let first = |what: &str| {
                let files = [
                    format!("blkio.throttle.{what}_recursive"),
                    format!("blkio.bfq.{what}_recursive"),
                    format!("blkio.throttle.{what}"),
                ];
                let found = files.iter().find(|it| group.join(it).exists());
                found.map_or(Vec::new(), |file| disks_v1(group, file))
            };
            return json!({
                "ioServiceBytesRecursive": first("io_service_bytes"),
                "ioServicedRecursive": first("io_serviced"),
            });
        }
        let text = read_if_any(group, "io.stat").unwrap_or_default();
        with_pressure(
            group,
            "io.pressure",
            json!({
                "ioServiceBytesRecursive":
                    disks_v2(&text, [("rbytes", "Read"), ("wbytes", "Write")]),
                "ioServicedRecursive":
                    disks_v2(&text, [("rios", "Read"), ("wios", "Write")]),
            }),
        )
    }

    /// For each size of pages that the kernel has files for. What is reserved
    /// counts as well, where the kernel counts that.
    fn hugepages(&self, group: &Path) -> Value {
        let (used, failed) = match self.is_v1 {
            true => ("usage_in_bytes", "failcnt"),
            false => ("current", "events"),
        };
        let mut all = Map::new();
        for entry in fs::read_dir(group).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let size = name
                .strip_prefix("hugetlb.")
                .and_then(|rest| rest.strip_suffix(&format!(".{used}")));
            let Some(size) = size.filter(|size| !size.contains('.')) else {
                continue;
            };
            let reserved =
                number(group, &format!("hugetlb.{size}.rsvd.{used}"));
            let file = format!("hugetlb.{size}.{failed}");
            let failed = match self.is_v1 {
                true => number(group, &file),
                false => keyed(group, &file, "max"),
            };
            let file = format!("hugetlb.{size}.max_usage_in_bytes");
            let entry = json!({
                "usage": reserved.or(number(group, &name)).unwrap_or(0),
                "max": number(group, &file).unwrap_or(0),
                "failcnt": failed.unwrap_or(0),
            });
            all.insert(size.to_owned(), entry);
        }
        all.into()
    }
}

/// The times in cpuacct.stat are in ticks of a clock, 100 in a second.
fn usage_v1(group: &Path) -> Value {
    let tick = 1_000_000_000 / 100;
    let ticks = |key| keyed(group, "cpuacct.stat", key).unwrap_or(0) * tick;
    let text = read_if_any(group, "cpuacct.usage_percpu").unwrap_or_default();
    let each: Vec<u64> = text.split(' ').flat_map(str::parse).collect();
    // CPU, user, system; the first line says so.
    let text = read_if_any(group, "cpuacct.usage_all").unwrap_or_default();
    let column = |at: usize| -> Vec<u64> {
        let lines = text.lines().skip(1);
        lines.flat_map(|line| line.split(' ').nth(at)?.parse().ok()).collect()
    };
    json!({
        "total": number(group, "cpuacct.usage").unwrap_or(0),
        "percpu": each,
        "percpu_kernel": column(2),
        "percpu_user": column(1),
        "kernel": ticks("system"),
        "user": ticks("user"),
    })
}

/// One of version 1's counters, which come in fours: limit, usage, peak, and
/// how often the limit was met.
fn memory_v1(group: &Path, name: &str) -> Value {
    let get =
        |what: &str| number(group, &format!("{name}.{what}")).unwrap_or(0);
    json!({
        "limit": get("limit_in_bytes"),
        "usage": get("usage_in_bytes"),
        "max": get("max_usage_in_bytes"),
        "failcnt": get("failcnt"),
    })
}

/// Which CPUs and which memory, as numbers and not as ranges.
fn cpuset(group: &Path) -> Value {
    let get =
        |name: &str| number(group, &format!("cpuset.{name}")).unwrap_or(0);
    let list = |name: &str| {
        let text = read_if_any(group, &format!("cpuset.{name}"));
        list(&text.unwrap_or_default())
    };
    let level = read_if_any(group, "cpuset.sched_relax_domain_level");
    let level = level.and_then(|level| level.parse::<i64>().ok());
    json!({
        "cpus": list("cpus"),
        "cpu_exclusive": get("cpu_exclusive"),
        "mems": list("mems"),
        "mem_hardwall": get("mem_hardwall"),
        "mem_exclusive": get("mem_exclusive"),
        "memory_migrate": get("memory_migrate"),
        "memory_spread_page": get("memory_spread_page"),
        "memory_spread_slab": get("memory_spread_slab"),
        "memory_pressure": get("memory_pressure"),
        "sched_load_balance": get("sched_load_balance"),
        "sched_relax_domain_level": level.unwrap_or(0),
    })
}

/// `0-2,7` as 0, 1, 2, 7.
pub(crate) fn list(text: &str) -> Vec<u16> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first = first.trim().parse::<u16>().ok()?;
        Some(first..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// `8:0 Read 123`, and lines with a sum, which are not wanted.
fn disks_v1(group: &Path, file: &str) -> Vec<Value> {
    let text = read_if_any(group, file).unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (major, minor) = words.next()?.split_once(':')?;
        let operation = words.next()?;
        let value = words.next()?.parse().ok()?;
        disk(major, minor, operation, value)
    };
    text.lines().filter_map(line).collect()
}

/// `8:0 rbytes=1 wbytes=2 rios=3 …`
fn disks_v2(text: &str, keys: [(&str, &str); 2]) -> Vec<Value> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let number = words.next().and_then(|word| word.split_once(':'));
        let Some((major, minor)) = number else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let name = keys.iter().find(|(name, _)| *name == key);
            let Some((_, operation)) = name else { continue };
            let Ok(value) = value.parse() else { continue };
            all.extend(disk(major, minor, operation, value));
        }
    }
    all
}

fn disk(
    major: &str,
    minor: &str,
    operation: &str,
    value: u64,
) -> Option<Value> {
    let (major, minor) =
        (major.parse::<u64>().ok()?, minor.parse::<u64>().ok()?);
    Some(json!({
        "major": major, "minor": minor, "op": operation, "value": value,
    }))
}

/// `KEY NUMBER` in each line.
fn pairs(group: &Path, file: &str) -> BTreeMap<String, u64> {
    let text = read_if_any(group, file).unwrap_or_default();
    let pair = |line: &str| {
        let (key, number) = line.split_once(' ')?;
        Some((key.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// For how much of the time processes had to wait
/// (Documentation/accounting/psi.rst), if this kernel counts that.
fn with_pressure(group: &Path, file: &str, mut stats: Value) -> Value {
    let Some(text) = read_if_any(group, file) else { return stats };
    let mut all = Map::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some(name) = words.next() else { continue };
        let mut one = Map::new();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let value: Option<Value> = serde_json::from_str(value).ok();
            one.extend(value.map(|value| (key.to_owned(), value)));
        }
        all.insert(name.to_owned(), one.into());
    }
    stats["psi"] = all.into();
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_ranges() {
        assert_eq!(list("0-2,7"), [0, 1, 2, 7]);
        assert_eq!(list("3"), [3]);
        assert_eq!(list(""), [0u16; 0]);
        assert_eq!(list("2-1,x,4-"), [0u16; 0], "no range at all");
    }

    #[test]
    fn traffic_is_told_for_each_disk() {
        let text = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5\n8:16 \n";
        let all = disks_v2(text, [("rbytes", "Read"), ("wios", "Write")]);
        let right = json!([
            {"major": 8, "minor": 0, "op": "Read", "value": 1},
            {"major": 8, "minor": 0, "op": "Write", "value": 4},
        ]);
        assert_eq!(Value::from(all), right);
    }

    #[test]
    fn no_group_is_all_zero_and_no_panic() {
        for is_v1 in [true, false] {
            let stats = read(&Groups::new(), is_v1, 3);
            assert_eq!(stats["pids"]["current"], 3);
            assert_eq!(stats["cpu"]["usage"]["total"], 0);
            assert_eq!(stats["memory"]["usage"]["usage"], 0);
            assert_eq!(stats["hugetlb"], json!({}));
        }
    }
}
