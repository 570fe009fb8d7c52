//! step06: being root without being root.

mod alone;
mod helpers;
mod rootless;

use anyhow::Result;
use nix::unistd::{Gid, setgroups};
use step00::proc::IdMap;

use super::report::Report;
use super::running::Running;
use super::{Attempt, Causes, outside};

const FLAGS: &[&str] = &["--network", "none"];

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

/// With root, and with a `become_user` that does as it should.
const CAUSES: &Causes = &[
    (
        &["_map", "Operation not permitted"],
        "`write_maps`: the kernel takes each map once: all lines in one \
         write, into the file of `pid`, and uid_map and gid_map both",
    ),
    (
        &["_map", "Invalid argument"],
        "`write_maps`: a line is INSIDE OUTSIDE COUNT, as `lines` makes it, \
         and no range may overlap another",
    ),
    (
        &["/setgroups", "Invalid argument"],
        "`write_maps`: the word that `setgroups` takes is \"deny\" (and root \
         has none to write)",
    ),
    (
        &["/setgroups", "Operation not permitted"],
        "`write_maps`: `setgroups` can no longer be denied when gid_map has \
         been written",
    ),
    (
        &["open /proc/", "ENOENT"],
        "`write_maps`: `write` looks for uid_map, gid_map and setgroups in \
         the folder of `pid`: their names alone",
    ),
    (
        &["overflowed its stack", "ended too early"],
        "`become_root` calls itself, without an end",
    ),
    (&["overflowed its stack"], "`write_maps` calls itself, without an end"),
    (
        &["become user 0", "EINVAL"],
        "`write_maps` must write uid_map: user 0 is not mapped. A line is \
         INSIDE OUTSIDE COUNT, as `lines` makes it",
    ),
    (
        &["become group 0", "EINVAL"],
        "`write_maps` must write gid_map: group 0 is not mapped",
    ),
    (
        &["become ", "EINVAL"],
        "`become_root` must take the number 0: it is the one inside that is \
         asked for, and root there is 0",
    ),
    (
        &["EINVAL"],
        "`write_maps` must write uid_map and gid_map both: user 0 or group 0 \
         is not mapped",
    ),
    (
        &["EPERM"],
        "`write_maps` must write gid_map: until then setgroups(2) is not \
         allowed",
    ),
    (
        &["too large for defined data type"],
        "`become_root` must take the number 0, by `become_user`: the process \
         is still a user whom no map knows",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // Groups that the process must give up. Often root has only its own.
    setgroups(&[Gid::from_raw(0), Gid::from_raw(4)])?;
    let what = "it starts with --network none";
    match Running::start(attempt.command(FLAGS, "echo begun\ncat"))? {
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            alone::look(attempt)?;
            users(attempt, &running)?;
        }
        Err(report) => {
            if has_come_to_users(&report) {
                // Is it the function that takes the numbers?
                alone::look(attempt)?;
            }
            return attempt.failed(what, &report, CAUSES);
        }
    }
    ranges(attempt)?;
    alone::errors(attempt)?;
    let person = rootless::Person::new(attempt)?;
    rootless::look(attempt, &person)?;
    helpers::look(attempt, &person)
}

/// Has it failed where `become_user` may be to blame?
fn has_come_to_users(report: &Report) -> bool {
    let is_written = report.unwritten().is_none();
    let is_in_proc = report.stderr.contains("/proc/");
    let is_panic = report.stderr.contains("panicked at");
    let is_launchers = report.stderr.contains("overflowed its stack")
        && !report.stderr.contains("ended too early");
    let is_other = is_in_proc || is_panic || is_launchers;
    report.status.is_some() && is_written && !is_other
}

fn users(attempt: &mut Attempt, running: &Running) -> Result<()> {
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
    attempt.same(
        "it is in no group beside",
        outside::status(pid, "Groups"),
        "",
        "`become_root` keeps no group beside: the last argument of \
         `become_user` is empty",
    )
}

/// The maps, to the letter.
fn ranges(attempt: &mut Attempt) -> Result<()> {
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
