//! linux.resources: what the container may use (config-linux.md, "Control
//! groups").
//!
//! The specification is older than cgroup v2, and speaks the language of v1:
//! `shares` and not weight, `swap` is memory *and* swap. Numbers of which it
//! is said "no limit" are -1. Engines send `null`, and 0, for what they do
//! not want to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// What a container may use. All of it can be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resources {
    /// Which devices may be opened and made, the last match wins.
    #[serde(deserialize_with = "or_default")]
    pub devices: Vec<DeviceRule>,
    /// Bytes.
    pub memory: Option<Memory>,
    /// Time, and on which CPUs.
    pub cpu: Option<Cpu>,
    /// How many processes and threads.
    pub pids: Option<Pids>,
    /// Traffic to disks.
    #[serde(rename = "blockIO")]
    pub block_io: Option<BlockIo>,
    /// Large pages, for each of their sizes.
    #[serde(deserialize_with = "or_default")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Marks on packets, with cgroup v1.
    pub network: Option<Network>,
    /// Remote memory, for each network card.
    #[serde(deserialize_with = "or_default")]
    pub rdma: BTreeMap<String, Rdma>,
    /// Files of cgroup v2, and what is to be written to them.
    #[serde(deserialize_with = "or_default")]
    pub unified: BTreeMap<String, String>,
}

/// Which devices, and whether they are allowed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeviceRule {
    /// Allowed, or not.
    pub allow: bool,
    /// `c`, `b`, or `a` for both, which is what nothing means too.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Each, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Each, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Of `r` (read), `w` (write) and `m` (mknod).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// linux.resources.memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// The limit.
    pub limit: Option<i64>,
    /// What it keeps when others need memory.
    pub reservation: Option<i64>,
    /// The limit of memory *and* swap together.
    pub swap: Option<i64>,
    /// Of the kernel's own memory: read, and not used. No kernel since 5.4
    /// has such a limit, and the specification allows to ignore it.
    pub kernel: Option<i64>,
    /// The same for what the kernel needs for TCP.
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: Option<i64>,
    /// 0 to 100: how readily it is swapped out (v1).
    pub swappiness: Option<u64>,
    /// At the limit processes wait, and are not killed (v1).
    #[serde(rename = "disableOOMKiller")]
    pub disable_oom_killer: Option<bool>,
    /// Whether groups below count; they do, since Linux 5.11 always.
    pub use_hierarchy: Option<bool>,
    /// Refuse a limit that is lower than what is used already.
    pub check_before_update: Option<bool>,
}

/// linux.resources.cpu, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cpu {
    /// A share of the CPU in proportion to others': 2 to 262144, usually 1024.
    pub shares: Option<u64>,
    /// At most so much time in each period.
    pub quota: Option<i64>,
    /// So much unused time may be used later.
    pub burst: Option<u64>,
    /// How long a period is.
    pub period: Option<u64>,
    /// The quota of realtime processes (v1).
    pub realtime_runtime: Option<i64>,
    /// The period of realtime processes (v1).
    pub realtime_period: Option<u64>,
    /// On which CPUs: `0-3,7`.
    #[serde(deserialize_with = "or_default")]
    pub cpus: String,
    /// In the memory of which nodes.
    #[serde(deserialize_with = "or_default")]
    pub mems: String,
    /// 1: only what no other process wants.
    pub idle: Option<i64>,
}

/// linux.resources.pids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pids {
    /// How many, or -1.
    pub limit: Option<i64>,
}

/// linux.resources.blockIO.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockIo {
    /// 10 to 1000: a share in proportion to others'.
    pub weight: Option<u16>,
    /// The same for its own processes beside the groups below it.
    pub leaf_weight: Option<u16>,
    /// The weight on one disk.
    #[serde(deserialize_with = "or_default")]
    pub weight_device: Vec<WeightDevice>,
    /// Bytes in a second.
    #[serde(deserialize_with = "or_default")]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes in a second.
    #[serde(deserialize_with = "or_default")]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Requests in a second.
    #[serde(rename = "throttleReadIOPSDevice")]
    #[serde(deserialize_with = "or_default")]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Requests in a second.
    #[serde(rename = "throttleWriteIOPSDevice")]
    #[serde(deserialize_with = "or_default")]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// The weight on one disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightDevice {
    /// The disk's number.
    pub major: i64,
    /// The disk's number.
    pub minor: i64,
    /// As for all disks.
    #[serde(default)]
    pub weight: Option<u16>,
    /// As for all disks.
    #[serde(default)]
    pub leaf_weight: Option<u16>,
}

/// How much from or to one disk, in a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThrottleDevice {
    /// The disk's number.
    pub major: i64,
    /// The disk's number.
    pub minor: i64,
    /// How much; 0 takes a limit away.
    pub rate: u64,
}

/// linux.resources.hugepageLimits: one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HugepageLimit {
    /// 2MB, 1GB: as in the names of the kernel's files.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// linux.resources.network (v1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The mark on its packets, for tc(8).
    #[serde(rename = "classID")]
    pub class_id: Option<u32>,
    /// The priority of its packets on an interface.
    #[serde(deserialize_with = "or_default")]
    pub priorities: Vec<InterfacePriority>,
}

/// The priority of packets on an interface of the runtime's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InterfacePriority {
    /// The interface.
    pub name: String,
    /// Its priority.
    pub priority: u32,
}

/// linux.resources.rdma: for one card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rdma {
    /// How many handles may be open.
    pub hca_handles: Option<u32>,
    /// How many objects may be made.
    pub hca_objects: Option<u32>,
}

/// Go writes a list that is empty as `null`.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> serde_json::Result<Resources> {
        serde_json::from_str(text)
    }

    #[test]
    fn each_name_of_the_specification_is_read() {
        let text = r#"{
            "devices": [{"allow": true, "type": "c", "major": 1, "minor": 3,
                "access": "rw"}],
            "memory": {"limit": 1, "reservation": 2, "swap": 3, "kernel": -1,
                "kernelTCP": -1, "swappiness": 0, "disableOOMKiller": false,
                "useHierarchy": true, "checkBeforeUpdate": true},
            "cpu": {"shares": 1, "quota": 2, "burst": 3, "period": 4,
                "realtimeRuntime": 5, "realtimePeriod": 6, "cpus": "2-3",
                "mems": "0-7", "idle": 0},
            "pids": {"limit": 7},
            "blockIO": {"weight": 10, "leafWeight": 11, "weightDevice":
                [{"major": 8, "minor": 0, "weight": 1, "leafWeight": 2}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0,
                "rate": 4}]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 9}],
            "network": {"classID": 1048577, "priorities": [{"name": "eth0",
                "priority": 500}]},
            "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
            "unified": {"cpu.max": "max"}
        }"#;
        let read = read(text).expect("read it");
        let given: serde_json::Value =
            serde_json::from_str(text).expect("JSON");
        let written = serde_json::to_value(&read).expect("write it");
        assert_eq!(written, given);
    }

    #[test]
    fn what_engines_leave_out_or_null_is_nothing() {
        let text = r#"{"devices": null, "memory": {"limit": null}, "cpu":
            {"cpus": null, "shares": 0}, "pids": null, "blockIO":
            {"weightDevice": null}, "hugepageLimits": null, "network":
            {"priorities": null}, "rdma": null, "unified": null,
            "tomorrow": {"what": 1}}"#;
        let read_it = read(text).expect("read it");
        assert_eq!(read_it.devices, []);
        assert_eq!(read_it.memory, Some(Memory::default()));
        assert_eq!(read("{}").expect("read it"), Resources::default());
        // The control: what is no number is none.
        assert!(read(r#"{"memory": {"limit": "64M"}}"#).is_err());
    }
}
