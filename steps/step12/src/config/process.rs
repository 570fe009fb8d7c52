//! How the kernel treats the process: powers, limits, priorities.

use serde::Deserialize;

/// Names of capabilities, in the five sets (capabilities(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// What execve(2) can give at most.
    pub bounding: Vec<String>,
    /// What the kernel asks for.
    pub effective: Vec<String>,
    /// What survives some execve(2).
    pub inheritable: Vec<String>,
    /// What may become effective.
    pub permitted: Vec<String>,
    /// What survives every execve(2).
    pub ambient: Vec<String>,
}

/// A limit of getrlimit(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_NOFILE` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the process may not go beyond.
    pub soft: u64,
    /// How far it may raise that itself.
    pub hard: u64,
}

/// How it gets the CPU: sched_setattr(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// `SCHED_OTHER`, `SCHED_FIFO`, …
    pub policy: String,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Of the real-time policies, 1 to 99.
    pub priority: i32,
    /// `SCHED_FLAG_RESET_ON_FORK` and the like.
    pub flags: Vec<String>,
    /// Of SCHED_DEADLINE, in nanoseconds.
    pub runtime: u64,
    /// The same.
    pub deadline: u64,
    /// The same.
    pub period: u64,
}

/// How it gets the disk: ioprio_set(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_RT`, `_BE` or `_IDLE`.
    #[serde(default)]
    pub class: String,
    /// 0 to 7 within that.
    #[serde(default)]
    pub priority: i32,
}

/// On which CPUs `exec` starts a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExecCpuAffinity {
    /// Before it is in the container's group: `0-1,3`.
    pub initial: String,
    /// When it is.
    #[serde(rename = "final")]
    pub last: String,
}

/// How the kernel answers to some calls: personality(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Personality {
    /// `LINUX` or `LINUX32`.
    pub domain: String,
    /// None is known.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// From which memory it is served: set_mempolicy(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MemoryPolicy {
    /// `MPOL_DEFAULT`, `MPOL_BIND`, …
    pub mode: String,
    /// `0-3,7`.
    pub nodes: String,
    /// `MPOL_F_STATIC_NODES` and the like.
    pub flags: Vec<String>,
}
