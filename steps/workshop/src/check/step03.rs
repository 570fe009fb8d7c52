//! step03: another root directory.

mod machine;
mod mistakes;
mod steps;

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use step00::Proc;

use self::machine::{BELOW, Below, lost, point, points};
use self::steps::Step;
use super::calls::Watch;
use super::report::Report;
use super::running::Running;
use super::scratch::Scratch;
use super::{Attempt, outside};

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let scratch = Scratch::new()?;
    let root = scratch.copy_image(attempt.binary())?.canonicalize()?;
    let _below = Below::new(root.join(BELOW.trim_start_matches('/')))?;
    let before = points(&Proc::own());
    let text = root.display().to_string();
    let script = "echo begun; cat >/dev/null";
    let mut command = attempt.command(&["--rootfs", &text], script);
    let watch = steps::watch(&mut command, root.clone())?;
    let Some(running) = start(attempt, command, &watch, &root, &before)?
    else {
        return Ok(());
    };
    attempt.found(
        "it is in a mount namespace of its own",
        outside::is_apart(running.pid, "mnt"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWNS: was it changed?",
    )?;
    roots(attempt, &running, &watch.notes(), &root)?;
    below(attempt, &running)?;
    kernel_files(attempt, &running, &watch.notes())?;
    let mounts = outside::mounts(&outside::proc(running.pid));
    let shared = mounts.iter().filter(|mount| !mount.propagation.is_empty());
    let shared: Vec<String> = shared.map(point).collect();
    attempt.same(
        "none of its mounts is shared with the machine",
        shared.join(" "),
        "",
        "`make_private` takes another type than MS_PRIVATE, or leaves out \
         MS_REC: private lets nothing in and nothing out",
    )?;
    let ended = running.end()?;
    let mistake = "the command could not end by itself";
    attempt.ended("it ends with status 0", &ended, 0, &[], mistake)
}

/// Starts it. If it stops, the last call that it made tells where.
fn start(
    attempt: &mut Attempt,
    command: Command,
    watch: &Watch<Step>,
    root: &Path,
    before: &[String],
) -> Result<Option<Running>> {
    let what = "it starts, and executes its command";
    let started = Running::start(command)?;
    // Without mounts of our own there may be no /proc to look into. (With an
    // exercise the launcher has its own.)
    lost(attempt, before, &points(&Proc::own()), &watch.notes())?;
    match started {
        Ok(running) => {
            let after = points(&outside::proc(running.launcher()));
            lost(attempt, before, &after, &watch.notes())?;
            let kept = "the machine's own mounts are as they were";
            attempt.found(kept, true, "", "", "")?;
            attempt.found(what, true, "", "", "")?;
            Ok(Some(running))
        }
        Err(report) => {
            let likely = likely(&report, &watch.notes(), root);
            attempt.found(what, false, report.words(), "no error", &likely)?;
            Ok(None)
        }
    }
}

fn likely(report: &Report, steps: &[Step], root: &Path) -> String {
    let has_failed = report.stderr.contains("`Err` value");
    let function = mistakes::function(steps, root, has_failed);
    let mistake = mistakes::mistake(steps, root).unwrap_or(
        "no mistake that is known here: what the program said is above",
    );
    report.stopped_in(function).unwrap_or_else(|| mistake.into())
}

/// Where does `/` lead, for the process and for the whole namespace?
fn roots(
    attempt: &mut Attempt,
    running: &Running,
    steps: &[Step],
    root: &Path,
) -> Result<()> {
    let pid = running.pid;
    let unchanged = match mistakes::binds_another(steps, root) {
        true => mistakes::ANOTHER,
        false => "`pivot` changes nothing",
    };
    let inside = outside::identity(format!("/proc/{pid}/root"))?;
    attempt.found(
        "its / is another one than the machine's",
        inside != outside::identity("/")?,
        "the machine's /",
        "the new root",
        unchanged,
    )?;
    let mounts = outside::mounts(&outside::proc(pid));
    let roots = mounts.iter().map(point).filter(|point| point == "/");
    attempt.same(
        "nothing is left of the old root: one mount on /",
        roots.count(),
        1,
        "`pivot` leaves the old root mounted: umount2(\".\", MNT_DETACH) \
         comes right after pivot_root(2)",
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
    let made = ["/proc", "/sys", "/dev", BELOW];
    let is_made = |point: &String| {
        point == "/" || made.iter().any(|made| point.starts_with(made))
    };
    let left = mounts.iter().map(point).filter(|point| !is_made(point));
    attempt.same(
        "and none elsewhere",
        left.collect::<Vec<_>>().join(" "),
        "",
        "`pivot` leaves the old root mounted where it has put it: umount2(2)",
    )
}

/// Its /proc, which the learner mounts, and /dev.
fn kernel_files(
    attempt: &mut Attempt,
    running: &Running,
    steps: &[Step],
) -> Result<()> {
    let pid = running.pid;
    let none = match mistakes::covers_proc(steps) {
        true => {
            "`mount_proc` mounts on the machine's /proc: the target is its \
             argument `proc`, a folder of the new root"
        }
        false => {
            "`mount_proc` has mounted none: `ps` would find nothing, or the \
             machine's processes"
        }
    };
    let proc = outside::mount_at(pid, "/proc");
    let kind = proc.as_ref().map_or("nothing", |mount| &mount.kind);
    attempt.same("a proc is mounted on its /proc", kind, "proc", none)?;
    let path = format!("/proc/{pid}/root/proc/1/comm");
    let first = std::fs::read_to_string(path).unwrap_or_default();
    attempt.same(
        "PID 1 of that proc is the process itself",
        first.trim_end(),
        outside::name(pid),
        "`mount_proc`: that proc shows the machine's PID namespace: mount a \
         new one, do not bind the old one",
    )?;
    let flags = proc.map(|mount| mount.options).unwrap_or_default();
    let has = |flag: &&&str| flags.iter().any(|f| f == **flag);
    attempt.found(
        "it can be written to",
        has(&&"rw"),
        flags.join(","),
        "rw",
        "`mount_proc` makes it read-only: MS_RDONLY is not among its flags",
    )?;
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

fn below(attempt: &mut Attempt, running: &Running) -> Result<()> {
    attempt.found(
        "what is mounted below the new root is there as well",
        outside::mount_at(running.pid, BELOW).is_some(),
        "nothing",
        "a tmpfs",
        "`bind_onto_itself` leaves out what is mounted below: MS_REC takes it \
         along, and in a user namespace the kernel insists on it",
    )
}
