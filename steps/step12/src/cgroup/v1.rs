//! linux.resources as the files of cgroup v1
//! (Documentation/admin-guide/cgroup-v1/), where each controller has a tree
//! of its own.

use anyhow::{Result, bail, ensure};

use super::fields;
use super::files::Setting;
use crate::config::resources::{BlockIo, Cpu, Memory, Network, Resources};

/// What is to be written for one controller.
pub(crate) type Part = (&'static str, Vec<Setting>);

/// What is to be written in which tree.
///
/// # Errors
/// A field that only v2 has, or a number that makes no sense.
pub(crate) fn settings(resources: &Resources) -> Result<Vec<Part>> {
    if let Some(file) = resources.unified.keys().next() {
        bail!(
            "linux.resources.unified.{file} is not supported with cgroup v1"
        );
    }
    let mut parts = vec![
        ("pids", fields::pids(resources).into_iter().collect()),
        ("hugetlb", fields::hugepages(resources, "limit_in_bytes")?),
        ("rdma", fields::rdma(resources)?),
    ];
    if let Some(memory) = &resources.memory {
        parts.push(("memory", self::memory(memory)?));
    }
    if let Some(cpu) = &resources.cpu {
        parts.push(("cpu", self::cpu(cpu)?));
        parts.push(("cpuset", fields::cpuset(cpu)));
    }
    if let Some(block_io) = &resources.block_io {
        parts.push(("blkio", self::block_io(block_io)?));
    }
    if let Some(network) = &resources.network {
        let class = network.class_id.filter(|&class| class != 0);
        let class = class.map(|class| {
            Setting::new("network.classID", "net_cls.classid", class)
        });
        parts.push(("net_cls", class.into_iter().collect()));
        parts.push(("net_prio", priorities(network)?));
    }
    parts.retain(|(_, settings)| !settings.is_empty());
    Ok(parts)
}

/// The kernel refuses a limit of memory that is higher than that of memory
/// and swap together, at any moment: `files::write_all` finds the order.
fn memory(memory: &Memory) -> Result<Vec<Setting>> {
    let named = |number: Option<i64>| number.filter(|&number| number != 0);
    let mut all = Vec::new();
    let limit = named(memory.limit);
    all.extend(
        limit.map(|it| {
            Setting::new("memory.limit", "memory.limit_in_bytes", it)
        }),
    );
    let file = "memory.memsw.limit_in_bytes";
    let sum = match (limit, named(memory.swap)) {
        // Who takes the limit from memory means swap as well.
        (Some(-1), None) => Some(-1),
        (_, sum) => sum,
    };
    all.extend(sum.map(|sum| {
        let it = Setting::new("memory.swap", file, sum);
        // A kernel that does not count swap has no such file.
        if sum == -1 { it.or_nothing() } else { it }
    }));
    let reservation = named(memory.reservation);
    all.extend(reservation.map(|it| {
        Setting::new("memory.reservation", "memory.soft_limit_in_bytes", it)
    }));
    if memory.disable_oom_killer == Some(true) {
        let field = "memory.disableOOMKiller";
        all.push(Setting::new(field, "memory.oom_control", 1));
    }
    // What engines send for "not said": -1 as an unsigned number.
    if let Some(it) = memory.swappiness.filter(|&it| it != u64::MAX) {
        ensure!(
            it <= 100,
            "linux.resources.memory.swappiness: {it} is more than 100"
        );
        let file = "memory.swappiness";
        all.push(Setting::new("memory.swappiness", file, it));
    }
    Ok(all)
}

fn cpu(cpu: &Cpu) -> Result<Vec<Setting>> {
    let shares = cpu.shares.unwrap_or(0);
    // Of others the kernel takes the nearest, and says nothing.
    ensure!(
        shares != 1,
        "linux.resources.cpu.shares: the minimum allowed cpu-shares is 2"
    );
    ensure!(
        shares <= 262_144,
        "linux.resources.cpu.shares: the maximum allowed cpu-shares is 262144"
    );
    let unsigned = |number: Option<u64>| number.filter(|&number| number != 0);
    let signed = |number: Option<i64>| number.filter(|&number| number != 0);
    let mut all = Vec::new();
    let mut add = |field, file, text: Option<String>| {
        all.extend(text.map(|text| Setting::new(field, file, text)));
    };
    let text = |number: Option<u64>| number.map(|it| it.to_string());
    let shares = text(unsigned(cpu.shares));
    add("cpu.shares", "cpu.shares", shares);
    let period = text(unsigned(cpu.period));
    add("cpu.period", "cpu.cfs_period_us", period);
    add("cpu.burst", "cpu.cfs_burst_us", text(cpu.burst));
    // Any number below 0 is no limit.
    let quota = signed(cpu.quota).map(|quota| quota.max(-1).to_string());
    add("cpu.quota", "cpu.cfs_quota_us", quota);
    add("cpu.idle", "cpu.idle", cpu.idle.map(|idle| idle.to_string()));
    let period = text(unsigned(cpu.realtime_period));
    add("cpu.realtimePeriod", "cpu.rt_period_us", period);
    let runtime = signed(cpu.realtime_runtime).map(|it| it.to_string());
    add("cpu.realtimeRuntime", "cpu.rt_runtime_us", runtime);
    Ok(all)
}

fn block_io(block_io: &BlockIo) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    let named = |weight: Option<u16>| weight.filter(|&weight| weight != 0);
    if let Some(it) = named(block_io.weight) {
        // The one file of the scheduler cfq (until 5.0), the other of bfq.
        let other = Setting::new("blockIO.weight", "blkio.bfq.weight", it);
        let first = Setting::new("blockIO.weight", "blkio.weight", it);
        all.push(first.or(other));
    }
    let leaf = named(block_io.leaf_weight);
    all.extend(leaf.map(|it| {
        Setting::new("blockIO.leafWeight", "blkio.leaf_weight", it)
    }));
    for device in &block_io.weight_device {
        let number = fields::disk(device.major, device.minor)?;
        let field = "blockIO.weightDevice";
        if let Some(weight) = named(device.weight) {
            let text = format!("{number} {weight}");
            let other = Setting::new(field, "blkio.bfq.weight_device", &text);
            let first = Setting::new(field, "blkio.weight_device", &text);
            all.push(first.or(other));
        }
        let leaf = named(device.leaf_weight);
        all.extend(leaf.map(|it| {
            let text = format!("{number} {it}");
            Setting::new(field, "blkio.leaf_weight_device", text)
        }));
    }
    for (field, file, devices) in [
        (
            "blockIO.throttleReadBpsDevice",
            "read_bps_device",
            &block_io.throttle_read_bps_device,
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            "write_bps_device",
            &block_io.throttle_write_bps_device,
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            "read_iops_device",
            &block_io.throttle_read_iops_device,
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            "write_iops_device",
            &block_io.throttle_write_iops_device,
        ),
    ] {
        for device in devices {
            let number = fields::disk(device.major, device.minor)?;
            let text = format!("{number} {}", device.rate);
            let file = format!("blkio.throttle.{file}");
            all.push(Setting::new(field, file, text));
        }
    }
    Ok(all)
}

fn priorities(network: &Network) -> Result<Vec<Setting>> {
    let line = |it: &crate::config::resources::InterfacePriority| {
        let (name, priority) = (&it.name, it.priority);
        ensure!(
            !name.is_empty() && !name.contains(char::is_whitespace),
            "linux.resources.network.priorities: {name:?} is no interface"
        );
        let field = "network.priorities";
        let text = format!("{name} {priority}");
        Ok(Setting::new(field, "net_prio.ifpriomap", text))
    };
    network.priorities.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FILE TEXT` of each setting.
    fn lines(json: &str) -> Vec<String> {
        let resources = serde_json::from_str(json).expect("JSON");
        let parts = settings(&resources).expect("settings");
        let all = parts.into_iter().flat_map(|(_, all)| all);
        all.map(|it| format!("{} {}", it.file, it.text)).collect()
    }

    fn refused(json: &str) -> String {
        let resources = serde_json::from_str(json).expect("JSON");
        format!("{:#}", settings(&resources).expect_err("refused"))
    }

    #[test]
    fn what_docker_always_sends_limits_nothing() {
        let json = r#"{"memory": {"disableOOMKiller": false, "kernel": 5},
            "cpu": {"shares": 0, "realtimeRuntime": 0, "cpus": ""},
            "blockIO": {"weight": 0}, "pids": {}, "network": {}}"#;
        assert_eq!(lines(json), [""; 0]);
    }

    #[test]
    fn memory_is_in_bytes_and_swap_is_the_sum() {
        let json = r#"{"memory": {"limit": 64, "swap": 100, "reservation": 32,
            "swappiness": 0, "disableOOMKiller": true}}"#;
        let right = [
            "memory.limit_in_bytes 64",
            "memory.memsw.limit_in_bytes 100",
            "memory.soft_limit_in_bytes 32",
            "memory.oom_control 1",
            "memory.swappiness 0",
        ];
        assert_eq!(lines(json), right);
        let none = lines(r#"{"memory": {"limit": -1}}"#);
        let right =
            ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"];
        assert_eq!(none, right);
        let why = refused(r#"{"memory": {"swappiness": 101}}"#);
        assert!(why.contains("memory.swappiness"), "{why}");
        assert!(refused(r#"{"cpu": {"shares": 1}}"#).contains("minimum"));
        let much = r#"{"cpu": {"shares": 262145}}"#;
        assert!(refused(much).contains("maximum"));
    }

    #[test]
    fn time_disks_and_packets() {
        let json = r#"{"cpu": {"shares": 512, "quota": -7, "period": 9,
            "burst": 0, "idle": 0, "realtimePeriod": 8, "realtimeRuntime": 7,
            "cpus": "0"}, "blockIO": {"weight": 10, "throttleReadBpsDevice":
            [{"major": 8, "minor": 0, "rate": 0}]}, "network": {"classID": 1,
            "priorities": [{"name": "lo", "priority": 3}]}}"#;
        let right = [
            "cpu.shares 512",
            "cpu.cfs_period_us 9",
            "cpu.cfs_burst_us 0",
            "cpu.cfs_quota_us -1",
            "cpu.idle 0",
            "cpu.rt_period_us 8",
            "cpu.rt_runtime_us 7",
            "cpuset.cpus 0",
            "blkio.weight 10",
            "blkio.throttle.read_bps_device 8:0 0",
            "net_cls.classid 1",
            "net_prio.ifpriomap lo 3",
        ];
        assert_eq!(lines(json), right);
    }

    #[test]
    fn what_only_v2_can_do_is_named() {
        let why = refused(r#"{"unified": {"memory.high": "1"}}"#);
        assert!(why.contains("unified.memory.high"), "{why}");
    }
}
