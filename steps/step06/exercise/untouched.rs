//! The exercise of step06: being root without being root. About 20 lines are
//! yours.
//!
//! ```text
//! cargo workshop check 6                              look at it
//! cargo run -p step06 --features exercise -- id       try it
//! cargo test -p step06 --features exercise            prove it
//! cargo run -p step08 --features step06/exercise      climb on it
//! cargo workshop hint 6 write_maps                    a hint
//! ```
//!
//! In a new user namespace everybody is `nobody`, until a map says which
//! number inside stands for which number outside. user_namespaces(7) is the
//! longest of its kind, and worth reading. Replace each `unwritten(…)` by a
//! body of your own; the solution is in `user.rs`.

#![allow(unused, reason = "until it is written")]

use std::fs;

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid};

use crate::ids::{Maps, Writer};
use crate::writing::{lines, run_helper, write};

/// Outside: writes both maps of process `pid`. Each can be written once.
///
/// Without root only one line is allowed, which maps one's own number; and
/// setgroups(2) must be forbidden before the gid map, since giving up a group
/// can give access to a file that its members are denied.
///
/// # Errors
/// EPERM when a number outside is not the writer's to give; EINVAL when
/// ranges overlap, or there are more than 340.
pub fn write_maps(pid: Pid, maps: &Maps) -> Result<()> {
    // `maps` says who writes them, and what follows from that (src/ids.rs).
    //
    // 1. The helpers are programs that may write more than we may: run
    //    newuidmap(1) and newgidmap(1) with `run_helper`, each with its own
    //    map, and there is no more to be done.
    //
    // 2. Without root and without helpers: user_namespaces(7), "The
    //    /proc/pid/setgroups file". Which word goes in there? Usual mistake:
    //    to write the gid map first, which the kernel answers with EPERM. Root
    //    and the helpers may write it without: what is denied stays denied.
    //
    // 3. Now both maps, each into its file: "User and group ID mappings:
    //    uid_map and gid_map". `write` and `lines` (src/writing.rs) are
    //    given. A second write to the same file is an error, so all lines go
    //    in at once.
    step00::unwritten("write_maps", file!())
}

/// Inside, with the maps written: takes the number 0.
///
/// The process has had every capability in its namespace since it was cloned;
/// but execve(2) lets only user 0 keep them.
pub fn become_root() -> Result<()> {
    // 1. Take the numbers, by `become_user` below.
    //
    // 2. A process that changes its user is not "dumpable" any more, and its
    //    files in /proc belong to the machine's root: proc(5), /proc/pid.
    //    Nothing secret of that root is in this memory, so switch it on again:
    //    PR_SET_DUMPABLE, and `nix::sys::prctl` has a function for it.
    step00::unwritten("become_root", file!())
}

/// Inside: takes these numbers, and gives up all groups beside but `groups`.
///
/// # Errors
/// EINVAL when the maps have no such user or group.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    // 1. Give up the launcher's groups: setgroups(2), with `groups` and no
    //    others (`Gid::from_raw`). That is not allowed everywhere: what
    //    /proc/self/setgroups says decides (a line, so trim it).
    //
    // 2. Become that group and that user. A process has three of each, real,
    //    effective and saved: credentials(7). setresgid(2) and setresuid(2)
    //    set all three. Usual mistake: the user first. A process that is not
    //    root any more may not change its group. (Who becomes 0 stays root;
    //    step10 becomes others, and so does `check`.)
    //
    // Each of them can fail, and its error is returned: a container that has
    // kept powers is worse than none. The context says at what.
    step00::unwritten("become_user", file!())
}
