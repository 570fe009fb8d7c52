//! step03: another root directory.

use std::path::Path;

use anyhow::Result;
use step00::Proc;
use step00::proc::Mount;

use super::running::Running;
use super::{Attempt, Causes, outside};

const CAUSES: &Causes = &[
    (
        &["pivot_root", "EINVAL"],
        "`make_private` must make every mount private (MS_REC | MS_PRIVATE): \
         pivot_root(2) refuses to work among shared ones; or \
         `bind_onto_itself` has not made a mount of the new root",
    ),
    (
        &["pivot_root", "EBUSY"],
        "`bind_onto_itself` must make the new root a mount: pivot_root(2) \
         exchanges mounts, not folders",
    ),
    (
        &["unmount the old root", "EBUSY"],
        "the old root is busy: umount2(2) takes it away all the same with \
         MNT_DETACH",
    ),
    (
        &["execute sh: ENOENT"],
        "`pivot` has not arrived in the new root: after pivot_root(2) you \
         are in the old one; chdir(\"/\") comes last",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let before = points();
    let Some(running) = attempt.start(&[], "", CAUSES)? else {
        lost(attempt, &before)?;
        return Ok(());
    };
    // Without mounts of our own there may be no /proc to look into.
    if !lost(attempt, &before)? {
        return Ok(());
    }
    attempt.found(
        "it is in a mount namespace of its own",
        outside::is_apart(running.pid, "mnt"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWNS: was it changed?",
    )?;
    roots(attempt, &running)?;
    kernel_files(attempt, &running)?;
    let mounts = outside::mounts(&outside::proc(running.pid));
    let shared = mounts.iter().filter(|mount| !mount.propagation.is_empty());
    let shared: Vec<String> = shared.map(point).collect();
    attempt.same(
        "none of its mounts is shared with the machine",
        shared.join(" "),
        "",
        "`make_private`: MS_PRIVATE, with MS_REC, comes before any other mount",
    )?;
    let ended = running.end()?;
    let mistake = "the command could not end by itself";
    attempt.ended("it ends with status 0", &ended, 0, CAUSES, mistake)
}

/// Where does `/` lead, for the process and for the whole namespace?
fn roots(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let pid = running.pid;
    let inside = outside::identity(format!("/proc/{pid}/root"))?;
    attempt.found(
        "its / is another one than the machine's",
        inside != outside::identity("/")?,
        "the machine's /",
        "the new root",
        "`pivot` changes nothing",
    )?;
    let whole = outside::within(pid, "mnt", || outside::identity("/"))?;
    attempt.found(
        "whoever enters its mount namespace lands there too",
        whole == inside,
        "nsenter(1) lands in the machine's /, which is still mounted",
        "the new root",
        "`pivot` uses chroot(2), which changes this one process's view, and \
         not the namespace: take pivot_root(2)",
    )?;
    let mounts = outside::mounts(&outside::proc(pid));
    let roots =
        mounts.iter().filter(|mount| mount.point == Path::new("/")).count();
    attempt.same(
        "nothing is left of the old root: one mount on /",
        roots,
        1,
        "`pivot` leaves the old root mounted: umount2(\".\", MNT_DETACH) \
         comes right after pivot_root(2)",
    )
}

/// Its /proc, which the learner mounts, and /dev.
fn kernel_files(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let pid = running.pid;
    let proc = outside::mount_at(pid, "/proc");
    let kind = proc.as_ref().map_or("nothing", |mount| &mount.kind);
    attempt.same(
        "a proc is mounted on its /proc",
        kind,
        "proc",
        "`mount_proc` has mounted none: `ps` would find nothing, or the \
         machine's processes",
    )?;
    let path = format!("/proc/{pid}/root/proc/1/comm");
    let first = std::fs::read_to_string(path).unwrap_or_default();
    attempt.same(
        "PID 1 of that proc is the process itself",
        first.trim_end(),
        outside::name(pid),
        "that proc shows the machine's PID namespace: mount a new one, do \
         not bind the old one",
    )?;
    let flags = proc.map(|mount| mount.options).unwrap_or_default();
    let has = |flag: &&&str| flags.iter().any(|f| f == **flag);
    let hard = ["nosuid", "nodev", "noexec"];
    let missing: Vec<&&str> = hard.iter().filter(|f| !has(f)).collect();
    attempt.found(
        "it is nosuid, nodev and noexec",
        missing.is_empty(),
        flags.join(","),
        hard.join(","),
        "`mount_proc` gives this mount three flags: mount(2)",
    )
}

/// What has become of our own mounts, which were shared.
fn lost(attempt: &mut Attempt, before: &[String]) -> Result<bool> {
    let after = points();
    let gone = before.iter().filter(|point| !after.contains(point));
    let gone = gone.map(|point| format!("{point} is gone"));
    let new = after.iter().filter(|point| !before.contains(point));
    let new = new.map(|point| format!("{point} is new"));
    let changes: Vec<String> = gone.chain(new).take(5).collect();
    attempt.same(
        "the machine's own mounts are as they were",
        changes.join(", "),
        "",
        "`make_private` left some of them shared (MS_REC means those below / as \
         well), and what is unmounted here was unmounted there",
    )?;
    Ok(changes.is_empty())
}

/// What is mounted where, for ourselves.
fn points() -> Vec<String> {
    outside::mounts(&Proc::own()).iter().map(point).collect()
}

fn point(mount: &Mount) -> String {
    mount.point.display().to_string()
}
