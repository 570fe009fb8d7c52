//! The exercise of step07: a control group with limits. About 20 lines are
//! yours.
//!
//! ```text
//! cargo workshop check 7                                         look at it
//! cargo run -p step07 --features exercise                        try it
//! cargo test -p step07 --features exercise -- --include-ignored  prove it
//! cargo run -p step08 --features step07/exercise                 climb on it
//! cargo workshop hint 7 enable                                   a hint
//! ```
//!
//! A group is a folder, and its limits are files in it; there is no system
//! call to be learnt here, only their names. They are in the kernel document
//! admin-guide/cgroup-v2.rst (docs.kernel.org). On a machine with cgroup v1
//! nothing gets here: there it is `cargo workshop check 7 --vm`, and
//! `scripts/vm` to look around.
//! Replace each `unwritten(…)` by a body of your own; the solution is in
//! `cgroup.rs`.

#![allow(unused, reason = "until it is written")]

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::write;
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
    // `write` (src/files.rs) is given.
    //
    // Write them one by one. Usual mistake: all in one line. The kernel takes
    // all or none then, and where one is missing it does not say which.
    // Another: the name without what stands before it, and it says EINVAL.
    step00::unwritten("enable", file!())
}

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
    // Which call makes a folder? And how does one get a descriptor of it? It
    // is only to be handed to clone3(2), so to open it for reading will do.
    //
    // Usual mistake: create_dir_all. It is content with a group that is there
    // already, and that may be another launcher's, with other limits.
    step00::unwritten("make", file!())
}

/// Writes down what the group may use.
///
/// # Errors
/// EINVAL or ERANGE when the kernel does not accept a number.
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
    step00::unwritten("limit", file!())
}
