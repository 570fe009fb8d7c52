//! step06: being root without being root.

mod alone;
mod helpers;
mod maps;
mod rootless;

use anyhow::Result;
use nix::unistd::{Gid, setgroups};

use super::report::Report;
use super::running::Running;
use super::{Attempt, Causes};

const FLAGS: &[&str] = &["--network", "none"];

const ROOT_WRITES: &str = "`write_maps`: the helpers are for Writer::Helpers alone; root writes \
     both maps itself";

/// With root, and with a `become_user` that does as it should.
const CAUSES: &Causes = &[
    (&["newuidmap 0 "], ROOT_WRITES),
    (&["newgidmap 0 "], ROOT_WRITES),
    (&["run new"], ROOT_WRITES),
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
            maps::users(attempt, &running)?;
        }
        Err(report) => {
            if has_come_to_users(&report) {
                // Is it the function that takes the numbers?
                alone::look(attempt)?;
            }
            return attempt.failed(what, &report, CAUSES);
        }
    }
    maps::ranges(attempt)?;
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
