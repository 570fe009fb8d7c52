//! The exercise of step07: a control group with limits. About 15 lines are
//! yours.
//!
//! ```text
//! cargo run -p step07 --features exercise                        try it
//! cargo test -p step07 --features exercise -- --include-ignored  prove it
//! cargo run -p step08 --features step07/exercise                 climb on it
//! cargo workshop check 7                                         look at it
//! cargo workshop hint 7                                          a hint
//! ```
//!
//! A group is a folder, and its limits are files in it; there is no system
//! call to be learnt here, only their names. They are in the kernel document
//! admin-guide/cgroup-v2.rst (docs.kernel.org). On a machine with cgroup v1
//! nothing gets here: put `scripts/vm` before these commands.
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `cgroup.rs`.

#![allow(unused, reason = "until it is written")]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use step00::Advice;

use crate::limits::Limits;

/// Lets the groups below `group` have these limits.
///
/// A group has the files of a controller (memory.max, cpu.max …) only when
/// its *parent* says so. And a group with processes of its own may not say so:
/// they would compete with the groups below ("no internal processes").
///
/// # Errors
/// ENOENT when this kernel or the group above lacks a controller, EBUSY when
/// there are processes in `group`.
pub fn enable(group: &Path, controllers: &[&str]) -> Result<()> {
    // cgroups(7), "Cgroups v2 subtree control": which file is it, and what
    // stands before the name of a controller that is to be switched on?
    // `write` below is given.
    //
    // Write them one by one. Usual mistake: all in one line. The kernel takes
    // all or none then, and does not say which one it did not like.
    step00::unwritten("enable", file!())
}

/// Writes down what the group may use.
///
/// # Errors
/// EINVAL or ERANGE when the kernel does not accept a number, ENODEV when a
/// disk is none.
pub fn limit(group: &Path, limits: &Limits) -> Result<()> {
    // `limits` (src/limits.rs) has the texts that the files want. These five
    // are yours; cgroup-v2.rst, "Memory Interface Files", "CPU Interface
    // Files" and "PID Interface Files" have their names:
    //
    // 1. The hard limit of memory. There is a soft one as well, above which a
    //    group is only slowed down: that is the usual mistake.
    //
    // 2. No swap: 0. Or the group would swap, slowly and for ever, and never
    //    be stopped. The file is missing where the kernel was built without
    //    swap, and then there is nothing to forbid.
    //
    // 3. What is left when one of several processes has been killed is of no
    //    use: the OOM killer shall take all of them or none. Write 1.
    //
    // 4. CPU time: so many microseconds in each period.
    //
    // 5. Processes and threads at once.
    step00::unwritten("limit", file!());

    // These are given: limits that only a flag asks for.
    if let Some(cpus) = &limits.cpuset {
        write(group, "cpuset.cpus", cpus)
            .advice("`nproc` counts the CPUs; --cpuset 0, 0-1 or 0,2")?;
    }
    for disk in &limits.disks {
        write(group, "io.max", disk)?;
    }
    Ok(())
}

/// Writes one of the group's files.
fn write(group: &Path, file: &str, text: &str) -> Result<()> {
    let path = group.join(file);
    fs::write(&path, text)
        .with_context(|| format!("write {text:?} to {}", path.display()))
}
