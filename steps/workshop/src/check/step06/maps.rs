//! The maps of step06, and the numbers that its process has taken.

use anyhow::Result;
use step00::proc::IdMap;

use super::{CAUSES, FLAGS};
use crate::check::running::Running;
use crate::check::{Attempt, outside};

/// Two ranges each, and other ones for groups than for users.
const RANGES: &[&str] = &[
    "--uid-map",
    "0:200000:1",
    "--uid-map",
    "1:300000:5000",
    "--gid-map",
    "0:400000:1",
    "--gid-map",
    "1:500000:5000",
];

/// With root, and the ranges that it takes by itself.
pub(super) fn users(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let pid = running.pid;
    attempt.found(
        "it is in a user namespace of its own",
        outside::is_apart(pid, "user"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWUSER: was it changed?",
    )?;
    attempt.same(
        "with root, setgroups(2) stays allowed in it",
        outside::read(pid, "setgroups").trim_end(),
        "allow",
        "`write_maps`: only a writer without root has to write \"deny\"; in a \
         container of root's, programs may change their groups",
    )?;
    for (kind, field, file) in
        [("user", "Uid", "uid_map"), ("group", "Gid", "gid_map")]
    {
        let map = IdMap::parse(&outside::read(pid, file));
        let root = map.outside(0);
        let is_ordinary = root.is_some_and(|number| number > 0);
        let root = root.map_or("nobody".into(), |number| number.to_string());
        attempt.found(
            &format!("{kind} 0 inside is an ordinary {kind} outside"),
            is_ordinary,
            format!("{file} says {root}"),
            "a number above 0",
            &format!("`write_maps` has not written {file}"),
        )?;
        attempt.same(
            &format!(
                "it is that {kind}: real, effective, saved and for files"
            ),
            outside::status(pid, field),
            [root.as_str(); 4].join(" "),
            "`become_root` must take the number 0, as user and as group, and \
             return the error of `become_user`",
        )?;
    }
    let beside = outside::status(pid, "Groups");
    let mistake = match &*beside {
        "0 4" => {
            "`become_user` must give up the launcher's groups, also where it \
             is told none: setgroups(2) with an empty list"
        }
        _ => {
            "`become_root` keeps no group beside: the last argument of \
             `become_user` is empty"
        }
    };
    attempt.same("it is in no group beside", beside, "", mistake)
}

/// The maps, to the letter.
pub(super) fn ranges(attempt: &mut Attempt) -> Result<()> {
    let flags = [FLAGS, RANGES].concat();
    let what = "it starts with two ranges for each map";
    let command = attempt.command(&flags, "echo begun\ncat");
    let Some(running) = attempt.start_command(what, command, CAUSES)? else {
        return Ok(());
    };
    for (file, ours, lines) in [
        ("uid_map", "users", "0 200000 1, 1 300000 5000"),
        ("gid_map", "groups", "0 400000 1, 1 500000 5000"),
    ] {
        attempt.same(
            &format!("its {file} has all ranges of the {ours}"),
            map_of(running.pid, file),
            lines,
            &format!(
                "`write_maps` must write all of the {ours}' map into {file}, \
                 and nothing else"
            ),
        )?;
    }
    drop(running);
    for (file, flag) in [("uid_map", "--uid-map"), ("gid_map", "--gid-map")] {
        // The second range overlaps the first.
        let overlap = [flag, "0:200000:9", flag, "5:300000:9"];
        let report = attempt.run(&[FLAGS, &overlap].concat(), "true")?;
        attempt.found(
            &format!("it stops when {file} cannot be written"),
            report.stderr.contains(file),
            report.words(),
            "the error of the write",
            "`write_maps` must return the error of each `write`",
        )?;
    }
    Ok(())
}

/// A map as it was written, in whatever order.
fn map_of(pid: i32, file: &str) -> String {
    let text = outside::read(pid, file);
    let numbers =
        |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = text.lines().map(numbers).collect();
    lines.sort();
    lines.join(", ")
}
