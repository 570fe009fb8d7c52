//! The file system that shows the message queues.

use anyhow::Result;

use crate::check::{Attempt, outside};

/// Looks at it.
pub fn look(attempt: &mut Attempt, pid: i32) -> Result<()> {
    let queues = outside::mount_at(pid, "/dev/mqueue");
    let kind = queues.as_ref().map_or("nothing", |mount| &mount.kind);
    attempt.same(
        "its message queues are mounted on /dev/mqueue",
        kind,
        "mqueue",
        "`mount_queues` has mounted none, or not in the new root: what is \
         joined to a path must not begin with a slash",
    )?;
    let flags = queues.map(|mount| mount.options).unwrap_or_default();
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    let mut missing = vec!["nosuid", "nodev", "noexec"];
    missing.retain(|flag| !has(flag));
    attempt.same(
        "nosuid, nodev and noexec",
        missing.join(" "),
        "",
        "`mount_queues` leaves out the flags above: nothing in there is a \
         program, a device or set-user-ID, so say so in the flags of mount(2)",
    )?;
    attempt.found(
        "and queues can be made there",
        !has("ro"),
        flags.join(","),
        "rw",
        "`mount_queues` has a flag too many: MS_RDONLY",
    )
}
