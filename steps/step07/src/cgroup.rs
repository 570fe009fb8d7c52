//! The primitive of step07: a control group with limits.
//!
//! A control group is a folder. Making the folder makes the group, writing to
//! the files in it sets its limits, and the kernel counts in other files what
//! its processes use. Kernel document: Documentation/admin-guide/cgroup-v2.rst.
//!
//! The process is *born* in the group ([`step00::Stage`] gives the folder to
//! clone3): a limit that comes after execve comes too late.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::write;
use crate::limits::Limits;

// ANCHOR: enable
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
    for controller in controllers {
        let text = format!("+{controller}");
        write(group, "cgroup.subtree_control", &text)?;
    }
    Ok(())
}
// ANCHOR_END: enable

// ANCHOR: make
/// Makes a group, and opens its folder for clone3(2).
///
/// mkdir(2) is all that it takes: the kernel fills the folder with its files.
/// A process that is put into a group later has run without limits until then.
/// So it is to be *born* in there (CLONE_INTO_CGROUP), and for that clone3
/// wants a descriptor of the folder.
///
/// # Errors
/// EEXIST when there is such a group, EACCES or EROFS where groups are not
/// ours to make, EAGAIN when the parent allows no more (cgroup.max.descendants).
pub fn make(group: &Path) -> Result<File> {
    fs::create_dir(group)
        .with_context(|| format!("make the group {}", group.display()))?;
    File::open(group).with_context(|| format!("open {}", group.display()))
}
// ANCHOR_END: make

// ANCHOR: limit
/// Writes down what the group may use.
///
/// # Errors
/// EINVAL or ERANGE when the kernel does not accept a number.
pub fn limit(group: &Path, limits: &Limits) -> Result<()> {
    write(group, "memory.max", &limits.memory)?;
    // With swap the group would go on slowly, and never be stopped at its
    // limit. The file is missing where the kernel was built without swap.
    if group.join("memory.swap.max").exists() {
        write(group, "memory.swap.max", "0")?;
    }
    // A container of which one process has been killed is of no use: the OOM
    // killer shall take all of them or none.
    write(group, "memory.oom.group", "1")?;
    // So many microseconds of CPU time in each period of 100 ms.
    write(group, "cpu.max", &limits.cpu)?;
    // At this number fork(2) answers EAGAIN.
    write(group, "pids.max", &limits.pids)
}
// ANCHOR_END: limit
