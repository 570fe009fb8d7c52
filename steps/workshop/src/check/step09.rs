//! step09: the last three blindfolds.

use anyhow::Result;

use super::{Attempt, Causes, outside};

const FLAGS: &[&str] = &["--network", "none", "--boottime-offset", "86400"];

const CAUSES: &Causes = &[
    (
        &["dev/mqueue", "File exists"],
        "the folder is there already: \"dev/mqueue\" without a slash in \
         front, or `join` gives the machine's own",
    ),
    (
        &["dev/mqueue"],
        "`mount_queues` mounts on dev/mqueue of the new root: the folder has \
         to be made first, and a path with a slash in front is the machine's",
    ),
    (
        &["enter the new time namespace"],
        "ns/time is where the process is already; setns(2) to \
         ns/time_for_children enters it",
    ),
    (
        &["shift the uptime"],
        "the offset is written before the namespace is made, or after \
         somebody is in it: unshare, write, setns",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(FLAGS, "", CAUSES)? else {
        return Ok(());
    };
    let pid = running.pid;
    for (kind, mistake) in [
        ("ipc", "main.rs sets CLONE_NEWIPC: was it changed?"),
        ("cgroup", "`hide_groups` must unshare(2) CLONE_NEWCGROUP"),
        (
            "time",
            "`shift_boottime` stays where it is: unshare(2) only makes the \
             namespace; setns(2) to ns/time_for_children enters it",
        ),
    ] {
        attempt.found(
            &format!("it is in another {kind} namespace"),
            outside::is_apart(pid, kind),
            "the launcher's",
            "its own",
            mistake,
        )?;
    }
    let offsets = outside::read(pid, "timens_offsets");
    let boottime = offsets.lines().find(|line| line.starts_with("boottime"));
    let words = boottime.unwrap_or_default().split_whitespace();
    attempt.same(
        "its uptime is a day more than the machine's",
        words.collect::<Vec<_>>().join(" "),
        "boottime 86400 0",
        "`shift_boottime` must write \"boottime SECONDS 0\" to \
         /proc/self/timens_offsets, after unshare(2) and before setns(2)",
    )?;
    queues(attempt, pid)?;
    let ended = running.end()?;
    let mistake = "the command could not end by itself";
    attempt.ended("it ends with status 0", &ended, 0, CAUSES, mistake)
}

/// The file system that shows the message queues.
fn queues(attempt: &mut Attempt, pid: i32) -> Result<()> {
    let queues = outside::mount_at(pid, "/dev/mqueue");
    let kind = queues.as_ref().map_or("nothing", |mount| &mount.kind);
    attempt.same(
        "its message queues are mounted on /dev/mqueue",
        kind,
        "mqueue",
        "`mount_queues` has mounted none, or not in the new root",
    )?;
    let flags = queues.map(|mount| mount.options).unwrap_or_default();
    let has = |flag: &&&str| flags.iter().any(|f| f == **flag);
    let hard = ["nosuid", "nodev", "noexec"];
    let missing: Vec<&&str> = hard.iter().filter(|f| !has(f)).collect();
    attempt.found(
        "nosuid, nodev and noexec",
        missing.is_empty(),
        flags.join(","),
        hard.join(","),
        "nothing in there is a program, a device or set-user-ID: say so in \
         the flags of mount(2)",
    )
}
