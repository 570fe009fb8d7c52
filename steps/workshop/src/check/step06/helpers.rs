//! The helpers newuidmap(1) and newgidmap(1), as step06 calls them.
//!
//! Not every machine has them, or a line in /etc/subuid. So there are others
//! in their place, which note how they were called and write nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::rootless::Person;
use crate::check::report::Report;
use crate::check::{Attempt, running};
use crate::text::tell;

/// Whose map it is to write, which one, and what `setgroups` says by then.
const HELPER: &str = "#!/bin/sh
[ $PPID = $1 ] && whose=launcher || whose=container
pid=$1; shift
read -r groups </proc/$pid/setgroups
echo \"${0##*/} $whose $*, setgroups: $groups\" >>\"${0%/*}/calls\"
";

/// The ranges that are set aside, in /etc/subuid and /etc/subgid.
const RANGES: [(&str, u32); 2] = [("subuid", 700_000), ("subgid", 800_000)];

/// Another /etc, for as long as this lives. Nothing of the trial outlives it.
struct Etc;

impl Etc {
    fn new(person: &Person) -> Result<Etc> {
        let kind = Some("tmpfs");
        mount(kind, "/etc", kind, MsFlags::empty(), None::<&str>)
            .context("mount a tmpfs on /etc")?;
        let etc = Etc;
        for (name, first) in RANGES {
            let line = format!("{}:{first}:65536\n", person.uid);
            fs::write(Path::new("/etc").join(name), line)
                .with_context(|| format!("write {name}"))?;
        }
        Ok(etc)
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = umount2("/etc", MntFlags::MNT_DETACH);
    }
}

/// Looks at how they are called.
pub(super) fn look(attempt: &mut Attempt, person: &Person) -> Result<()> {
    if std::process::id() != 1 {
        tell(format_args!(
            "newuidmap and newgidmap are not tried: this trial has no mounts \
             of its own, and needs an /etc/subuid"
        ));
        return Ok(());
    }
    let _etc = Etc::new(person)?;
    calls(attempt, person)?;
    let report = run(person, "echo no such range >&2; exit 1\n")?;
    attempt.found(
        "it stops when a helper fails",
        report.stderr.contains("no such range"),
        report.words(),
        "the error of the helper",
        "`write_maps` must return the error of `run_helper`",
    )
}

fn calls(attempt: &mut Attempt, person: &Person) -> Result<()> {
    let report = run(person, "exit 0\n")?;
    let calls = person.scratch.join("helpers/calls");
    let calls = fs::read_to_string(calls).unwrap_or_default();
    let mut calls: Vec<&str> = calls.lines().collect();
    calls.sort_unstable();
    let Person { uid, gid, .. } = person;
    let expected = [
        format!(
            "newgidmap container 0 {gid} 1 1 800000 65536, setgroups: allow"
        ),
        format!(
            "newuidmap container 0 {uid} 1 1 700000 65536, setgroups: allow"
        ),
    ]
    .join("\n");
    let found = match calls.is_empty() {
        true => format!("no call of them\n{}", report.words()),
        false => calls.join("\n"),
    };
    attempt.same(
        "newuidmap and newgidmap are run, each with its own map",
        &found,
        expected,
        likely(&calls, &report),
    )?;
    attempt.found(
        "and then nothing more is written",
        !report.stderr.contains("_map"),
        report.words(),
        "no further write",
        "`write_maps` has no more to do when the helpers have written: return",
    )
}

/// Why they are not called as they should be.
fn likely(calls: &[&str], report: &Report) -> &'static str {
    let has = |word| calls.iter().any(|call| call.contains(word));
    match () {
        () if report.stderr.contains("run ") => {
            "`write_maps`: newuidmap and newgidmap are looked for in PATH, so \
             `run_helper` takes their names alone"
        }
        () if calls.is_empty() => {
            "`write_maps`: when the writer is Writer::Helpers, it runs \
             newuidmap and newgidmap, by `run_helper`"
        }
        () if has("deny") => {
            "`write_maps` denies nothing where the helpers write: they may \
             write a gid_map without that"
        }
        () if has("launcher") => {
            "`write_maps` has the helpers write the launcher's own maps: they \
             want `pid`"
        }
        () if calls.len() != 2 => {
            "`write_maps` runs both helpers, newuidmap and newgidmap, once \
             each"
        }
        () => {
            "`write_maps` gives each helper its own map, and all of it: \
             newuidmap the users', newgidmap the groups'"
        }
    }
}

/// Runs it with helpers that note their call and then do `end`.
fn run(person: &Person, end: &str) -> Result<Report> {
    let folder = person.scratch.join("helpers");
    fs::create_dir_all(&folder).context("make a folder")?;
    for name in ["newuidmap", "newgidmap"] {
        let path = folder.join(name);
        fs::write(&path, [HELPER, end].concat()).context("write a helper")?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))
            .context("make it executable")?;
    }
    person.scratch.give_to(person.uid)?;
    running::run(person.command(&folder))
}
