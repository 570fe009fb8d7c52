//! linux.resources as the files of cgroup v2
//! (Documentation/admin-guide/cgroup-v2.rst).

use anyhow::{Context, Result, bail, ensure};

use super::convert::{or_max, swap, weight_of_block_io, weight_of_shares};
use super::fields;
use super::files::Setting;
use crate::config::resources::{BlockIo, Cpu, Memory, Resources};

/// What is to be written, in this order. `now` reads one of the group's
/// files: an update may name only one of two numbers that make up a line.
///
/// # Errors
/// A field of which v2 knows nothing, or a number that makes no sense.
pub(crate) fn settings(
    resources: &Resources,
    now: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    all.extend(fields::pids(resources));
    if let Some(memory) = &resources.memory {
        all.extend(self::memory(memory, &now)?);
    }
    if let Some(block_io) = &resources.block_io {
        all.extend(self::block_io(block_io)?);
    }
    if let Some(cpu) = &resources.cpu {
        all.extend(self::cpu(cpu, &now)?);
    }
    all.extend(fields::hugepages(resources, "max")?);
    all.extend(fields::rdma(resources)?);
    if let Some(network) = &resources.network {
        let asks = network.class_id.is_some_and(|id| id != 0);
        none(asks, "network.classID")?;
        none(!network.priorities.is_empty(), "network.priorities")?;
    }
    all.extend(unified(resources)?);
    Ok(all)
}

/// What only v1 can do is an error, if it is really asked for.
fn none(is_asked_for: bool, field: &str) -> Result<()> {
    ensure!(
        !is_asked_for,
        "linux.resources.{field} is not supported with cgroup v2"
    );
    Ok(())
}

fn memory(
    memory: &Memory,
    now: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Setting>> {
    // What engines send for "not said": -1 as an unsigned number.
    let swappiness = memory.swappiness.filter(|&it| it != u64::MAX);
    none(swappiness.is_some(), "memory.swappiness")?;
    let disables = memory.disable_oom_killer == Some(true);
    none(disables, "memory.disableOOMKiller")?;
    none(memory.use_hierarchy == Some(false), "memory.useHierarchy")?;

    let limit = memory.limit.unwrap_or(0);
    let known = match limit {
        // Only the sum is updated: of the memory that there is now.
        0 => match now("memory.max").as_deref() {
            Some("max") => -1,
            Some(bytes) => bytes.parse().unwrap_or(0),
            None => 0,
        },
        limit => limit,
    };
    let sum = memory.swap.unwrap_or(0);
    // A limit of memory that is not named leaves swap as it is.
    let swap = match (limit, sum) {
        (0, 0) => None,
        _ => swap(known, sum).context("linux.resources.memory.swap")?,
    };
    let mut all = Vec::new();
    if let Some(text) = swap {
        let is_without = text == "0" || text == "max";
        let it = Setting::new("memory.swap", "memory.swap.max", text);
        // A kernel that cannot swap has no such file.
        all.push(if is_without { it.or_nothing() } else { it });
    }
    let limit = or_max(limit);
    all.extend(limit.map(|it| Setting::new("memory.limit", "memory.max", it)));
    let reservation = or_max(memory.reservation.unwrap_or(0));
    all.extend(
        reservation
            .map(|it| Setting::new("memory.reservation", "memory.low", it)),
    );
    Ok(all)
}

fn cpu(
    cpu: &Cpu,
    now: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Setting>> {
    let runtime = cpu.realtime_runtime.is_some_and(|it| it != 0);
    none(runtime, "cpu.realtimeRuntime")?;
    let period = cpu.realtime_period.is_some_and(|it| it != 0);
    none(period, "cpu.realtimePeriod")?;

    let mut all = Vec::new();
    all.extend(cpu.idle.map(|it| Setting::new("cpu.idle", "cpu.idle", it)));
    let weight = weight_of_shares(cpu.shares.unwrap_or(0));
    all.extend(weight.map(|it| Setting::new("cpu.shares", "cpu.weight", it)));
    let burst = cpu.burst;
    all.extend(burst.map(|it| Setting::new("cpu.burst", "cpu.max.burst", it)));
    all.extend(cpu_max(cpu, now));
    all.extend(fields::cpuset(cpu));
    Ok(all)
}

/// cpu.max holds two numbers, quota and period, in microseconds. Of these the
/// second can be left out, and stays.
fn cpu_max(
    cpu: &Cpu,
    now: impl Fn(&str) -> Option<String>,
) -> Option<Setting> {
    let period = cpu.period.filter(|&period| period != 0);
    let quota = match cpu.quota {
        None | Some(0) => None,
        Some(quota) if quota < 0 => Some("max".to_owned()),
        Some(quota) => Some(quota.to_string()),
    };
    let text = match (quota, period) {
        (None, None) => return None,
        (Some(quota), None) => quota,
        (Some(quota), Some(period)) => format!("{quota} {period}"),
        (None, Some(period)) => {
            let now = now("cpu.max").unwrap_or_default();
            let quota = now.split(' ').next().filter(|it| !it.is_empty());
            format!("{} {period}", quota.unwrap_or("max"))
        }
    };
    let field = if cpu.quota.is_some() { "cpu.quota" } else { "cpu.period" };
    Some(Setting::new(field, "cpu.max", text))
}

fn block_io(block_io: &BlockIo) -> Result<Vec<Setting>> {
    let leaf = block_io.leaf_weight.is_some_and(|weight| weight != 0);
    none(leaf, "blockIO.leafWeight")?;
    let mut all = Vec::new();
    let weight = block_io.weight.filter(|&weight| weight != 0);
    all.extend(weight.map(|it| io_weight("blockIO.weight", "default", it)));
    for device in &block_io.weight_device {
        let leaf = device.leaf_weight.is_some_and(|weight| weight != 0);
        none(leaf, "blockIO.weightDevice.leafWeight")?;
        let number = fields::disk(device.major, device.minor)?;
        let weight = device.weight.filter(|&weight| weight != 0);
        let field = "blockIO.weightDevice";
        all.extend(weight.map(|it| io_weight(field, &number, it)));
    }
    for (field, key, devices) in [
        ("throttleReadBpsDevice", "rbps", &block_io.throttle_read_bps_device),
        (
            "throttleWriteBpsDevice",
            "wbps",
            &block_io.throttle_write_bps_device,
        ),
        (
            "throttleReadIOPSDevice",
            "riops",
            &block_io.throttle_read_iops_device,
        ),
        (
            "throttleWriteIOPSDevice",
            "wiops",
            &block_io.throttle_write_iops_device,
        ),
    ] {
        for device in devices {
            let number = fields::disk(device.major, device.minor)?;
            let rate = match device.rate {
                0 => "max".to_owned(),
                rate => rate.to_string(),
            };
            let text = format!("{number} {key}={rate}");
            let field = format!("blockIO.{field}");
            all.push(Setting::new(field, "io.max", text));
        }
    }
    Ok(all)
}

/// Of the two schedulers that know weights, bfq counts as v1 did, to 1000;
/// io.weight (of the controller iocost) to 10000.
fn io_weight(field: &str, of: &str, weight: u16) -> Setting {
    let converted = weight_of_block_io(weight);
    Setting::new(field, "io.bfq.weight", format!("{of} {weight}"))
        .or(Setting::new(field, "io.weight", format!("{of} {converted}")))
}

/// What config.json says in the words of the files themselves. Each line is
/// a command of its own. But who is in the group is not for it to say: it
/// could fetch any process of the machine.
fn unified(resources: &Resources) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    for (file, text) in &resources.unified {
        let has_controller = file.find('.').is_some_and(|dot| dot > 0);
        if file.contains(['/', '\0']) || !has_controller {
            bail!(
                "linux.resources.unified: {file:?} is not a file's name of \
                 the form CONTROLLER.PARAMETER"
            );
        }
        ensure!(
            !["cgroup.procs", "cgroup.threads"].contains(&file.as_str()),
            "linux.resources.unified: {file} is not a limit"
        );
        let field = format!("unified.{file}");
        for line in text.trim().split('\n') {
            all.push(Setting::new(&field, file, line.trim_end()));
        }
    }
    Ok(all)
}

#[cfg(test)]
#[path = "v2_tests.rs"]
mod tests;
