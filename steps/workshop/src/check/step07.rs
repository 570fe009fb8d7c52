//! step07: a control group with limits.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Causes, Trial, outside};

const FLAGS: &[&str] = &["--network", "none"];
const GROUPS: &str = "/sys/fs/cgroup";

/// A limit that comes so long after the process began comes too late.
const LATE: Duration = Duration::from_secs(3);
const TOO_LATE: &str = "the limit was written after execve(2): by then the \
                        process may have used what it likes. `limit` must \
                        have written all when it returns";

const CAUSES: &Causes = &[
    (
        &["memory.max", "Permission"],
        "the group has no memory.max: its parent has not switched the \
         controllers on, `enable` must write +memory to cgroup.subtree_control",
    ),
    (
        &["memory.", "No such file"],
        "the group has no such file: its parent has not switched the \
         controllers on, `enable` must write +memory to cgroup.subtree_control",
    ),
    (&["EBUSY"], "a group with processes in it may not hand controllers on"),
];

/// What is written without any flag, and what is wrong if it is not there.
const LIMITS: [(&str, &str, &str); 5] = [
    (
        "memory.max",
        "268435456",
        "`limit` must write memory.max; memory.high only slows a group down",
    ),
    (
        "memory.swap.max",
        "0",
        "swap is left free: the group would swap, slowly and for ever, and \
         never be stopped",
    ),
    (
        "memory.oom.group",
        "1",
        "without it the OOM killer takes one process, and leaves the rest",
    ),
    (
        "cpu.max",
        "100000 100000",
        "`limit` must write cpu.max, with the text that `limits` has",
    ),
    (
        "pids.max",
        "128",
        "`limit` must write pids.max: nothing stops a fork bomb otherwise",
    ),
];

/// Has this machine the groups that step07 is about?
///
/// # Errors
/// It has not, and what to do about that.
pub fn is_possible() -> Result<()> {
    ensure!(
        Path::new(GROUPS).join("cgroup.controllers").exists(),
        "control groups are those of version 1 here, and step07 does without\n  \
         try: cargo workshop check 7 --vm, in a machine that has version 2\n  \
         or boot with systemd.unified_cgroup_hierarchy=1"
    );
    Ok(())
}

/// Looks at it.
pub fn look(trial: &mut Trial) -> Result<()> {
    let Some(scene) = trial.start(FLAGS, "", CAUSES)? else { return Ok(()) };
    let groups = outside::read(scene.pid, "cgroup");
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group = group.unwrap_or("/").to_owned();
    trial.found(
        "it was born in a group of its own",
        group.starts_with("/workshop/"),
        &group,
        "/workshop/NAME",
        "CLONE_INTO_CGROUP in `fork` (step00) sees to that",
    )?;
    let folder = format!("{GROUPS}{group}");
    let folder = Path::new(&folder);
    for (file, expected, mistake) in LIMITS {
        if file.contains("swap") && !folder.join(file).exists() {
            continue; // a kernel without swap
        }
        let read = || fs::read_to_string(folder.join(file));
        let text = read().unwrap_or_else(|error| error.to_string());
        let is_late = || {
            sleep(LATE);
            read().is_ok_and(|text| text.trim_end() == expected)
        };
        let mistake = match text.trim_end() == expected || !is_late() {
            true => mistake,
            false => TOO_LATE,
        };
        let what = format!("its {file} is {expected}");
        trial.same(&what, text.trim_end(), expected, mistake)?;
    }
    drop(scene);
    // tail keeps what it may have to print.
    let hog = "head -c 90000000 /dev/zero | tail -c 90000000 >/dev/null";
    let flags = [FLAGS, &["--memory", "32M"]].concat();
    let report = trial.run(&flags, hog)?;
    trial.same(
        "who uses more memory than --memory allows is killed: 128+9",
        report.ending(),
        137,
        "the limit does not hold: memory.max, and no swap",
    )
}
