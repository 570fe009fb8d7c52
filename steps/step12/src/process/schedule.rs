//! How the process gets the CPU and the disk.

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::unistd::Pid;

use super::words::{bits, word};
use crate::config::process;

/// `struct sched_attr` of <linux/sched/types.h>, as of Linux 5.3.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

/// <linux/sched.h>.
const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

/// The same.
const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// process.scheduler.
#[derive(Debug)]
pub(super) struct Schedule(Attributes);

impl Schedule {
    pub(super) fn read(wanted: &process::Scheduler) -> Result<Schedule> {
        let policy = &wanted.policy;
        ensure!(!policy.is_empty(), "process.scheduler.policy is required");
        ensure!(
            (-20..=19).contains(&wanted.nice),
            "process.scheduler.nice must be from -20 to 19"
        );
        let priority = wanted.priority.try_into();
        Ok(Schedule(Attributes {
            size: size_of::<Attributes>() as u32,
            policy: word("process.scheduler.policy", &POLICIES, policy)?,
            flags: bits("process.scheduler.flags", &FLAGS, &wanted.flags)?,
            nice: wanted.nice,
            priority: priority.context("process.scheduler.priority")?,
            runtime: wanted.runtime,
            deadline: wanted.deadline,
            period: wanted.period,
            ..Attributes::default()
        }))
    }

    /// # Errors
    /// EPERM without CAP_SYS_NICE, EINVAL for a priority that the policy does
    /// not have: sched_setattr(2).
    pub(super) fn set(&self, process: Pid) -> Result<()> {
        let (pid, no_flags) = (process.as_raw(), 0);
        // SAFETY: the struct has the kernel's layout, and says its own size.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_sched_setattr,
                pid,
                &raw const self.0,
                no_flags,
            )
        };
        Errno::result(answer).map(drop).context("set process.scheduler")
    }
}

/// <linux/ioprio.h>.
const CLASSES: [(&str, i32); 3] =
    [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];

/// process.ioPriority: class and level in one number.
#[derive(Debug)]
pub(super) struct IoPriority(i32);

impl IoPriority {
    pub(super) fn read(wanted: &process::IoPriority) -> Result<IoPriority> {
        let class = word("process.ioPriority.class", &CLASSES, &wanted.class)?;
        if !(0..=7).contains(&wanted.priority) {
            bail!("process.ioPriority.priority must be from 0 to 7");
        }
        const CLASS_SHIFT: i32 = 13;
        Ok(IoPriority(class << CLASS_SHIFT | wanted.priority))
    }

    /// # Errors
    /// EPERM without CAP_SYS_NICE for IOPRIO_CLASS_RT: ioprio_set(2).
    pub(super) fn set(&self, process: Pid) -> Result<()> {
        const WHO_PROCESS: i32 = 1;
        let pid = process.as_raw();
        // SAFETY: ioprio_set takes three numbers.
        let answer = unsafe {
            libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, pid, self.0)
        };
        Errno::result(answer).map(drop).context("set process.ioPriority")
    }
}
