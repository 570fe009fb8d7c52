//! From which memory the process is served, on a machine that has several
//! (NUMA): set_mempolicy(2).

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;

use super::words::{bits, word};
use crate::config::process::MemoryPolicy;

/// <linux/mempolicy.h>.
pub const MODES: [(&str, i32); 7] = [
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// The same.
pub const FLAGS: [(&str, i32); 3] = [
    ("MPOL_F_STATIC_NODES", 1 << 15),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
];

/// No kernel is built for more nodes (CONFIG_NODES_SHIFT is 10 at most).
const MOST_NODES: usize = 1024;

/// linux.memoryPolicy.
#[derive(Debug)]
pub(super) struct Policy {
    mode: i32,
    /// Bit N stands for node N.
    nodes: Vec<u64>,
}

impl Policy {
    pub(super) fn read(wanted: &MemoryPolicy) -> Result<Policy> {
        let mode = word("linux.memoryPolicy.mode", &MODES, &wanted.mode)?;
        let flags = bits("linux.memoryPolicy.flags", &FLAGS, &wanted.flags)?;
        let nodes = nodes(&wanted.nodes).with_context(|| {
            format!("linux.memoryPolicy.nodes: {:?}", wanted.nodes)
        })?;
        Ok(Policy { mode: mode | flags, nodes })
    }

    /// # Errors
    /// EINVAL for nodes that the machine does not have, or where a mode takes
    /// none or some.
    pub(super) fn set(&self) -> Result<()> {
        let (mask, count) = match self.nodes.is_empty() {
            true => (std::ptr::null(), 0),
            // The kernel takes one less than it is told.
            false => (self.nodes.as_ptr(), MOST_NODES + 1),
        };
        // SAFETY: `nodes` has so many bits, or there is no pointer.
        let answer = unsafe {
            libc::syscall(libc::SYS_set_mempolicy, self.mode, mask, count)
        };
        Errno::result(answer).map(drop).context("set linux.memoryPolicy")
    }
}

/// Reads `0-3,7` as bits.
fn nodes(text: &str) -> Result<Vec<u64>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut nodes = vec![0; MOST_NODES / 64 + 1];
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<usize>();
        let (first, last) = (number(first)?, number(last)?);
        ensure!(first <= last && last < MOST_NODES, "no such nodes: {range}");
        for node in first..=last {
            nodes[node / 64] |= 1u64 << (node % 64);
        }
    }
    Ok(nodes)
}
