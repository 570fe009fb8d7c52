//! step06: being root without being root.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;
use nix::unistd::{Gid, setgroups};
use step00::proc::IdMap;

use super::running::Running;
use super::scratch::Scratch;
use super::{Attempt, Causes, outside};

const FLAGS: &[&str] = &["--network", "none"];

const CAUSES: &Causes = &[
    (
        &["/gid_map", "Operation not permitted"],
        "who is not root may write gid_map only after \"deny\" was written to \
         `setgroups`: in this order",
    ),
    (
        &["/setgroups", "Operation not permitted"],
        "`setgroups` can no longer be denied when gid_map has been written: \
         it comes first",
    ),
    (
        &["become user 0", "EINVAL"],
        "user 0 is not mapped: `write_maps` must write uid_map",
    ),
    (
        &["become group 0", "EINVAL"],
        "group 0 is not mapped: `write_maps` must write gid_map",
    ),
    (
        &["give up the launcher's groups", "EPERM"],
        "setgroups(2) waits for gid_map: `write_maps` must write gid_map",
    ),
    (
        &["too large for defined data type"],
        "the process is a user whom no map knows: `become_root` must take \
         the number 0",
    ),
    (
        &["become group", "EPERM"],
        "`become_user` has given up the user first, and with it the right to \
         change the group",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // Groups that the process must give up. Often root has only its own.
    setgroups(&[Gid::from_raw(0), Gid::from_raw(4)])?;
    let Some(running) = attempt.start(FLAGS, "", CAUSES)? else {
        return Ok(());
    };
    users(attempt, &running)?;
    drop(running);
    rootless(attempt)
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
            "`become_root` must take the number 0, all three kinds of it: \
             setresuid(2), setresgid(2)",
        )?;
    }
    attempt.same(
        "it is in no group beside",
        outside::status(pid, "Groups"),
        "",
        "`become_user` keeps the launcher's groups: setgroups(2) with `groups`",
    )
}

/// The same without any root outside.
fn rootless(attempt: &mut Attempt) -> Result<()> {
    // The person behind sudo, or a number that no user has.
    let person = std::env::var("SUDO_UID").ok().and_then(|n| n.parse().ok());
    let person: u32 = person.filter(|&uid| uid > 0).unwrap_or(61_234);
    // A copy of the program finds its image beside itself.
    let scratch = Scratch::new()?;
    let binary = scratch.copy(attempt.binary(), "debug/step06")?;
    scratch.copy_image(attempt.binary())?;
    scratch.give_to(person)?;
    let mut command = Command::new(&binary);
    let script = "echo begun\ncat >/dev/null";
    command.args(["-q", "--rootless", "--", "sh", "-c", script]);
    command.uid(person).gid(person).current_dir("/");
    // Without the helpers newuidmap and newgidmap.
    command.env("PATH", "/nowhere").env_remove("SUDO_UID");
    let Some(running) = attempt.start_command(
        "it starts without any root",
        command,
        CAUSES,
    )?
    else {
        return Ok(());
    };
    attempt.same(
        "without root, setgroups(2) is denied in it",
        outside::read(running.pid, "setgroups").trim_end(),
        "deny",
        "`write_maps` must write \"deny\" to `setgroups` before gid_map",
    )?;
    attempt.same(
        "without root, it is root inside and its caller outside",
        outside::status(running.pid, "Uid"),
        [person.to_string().as_str(); 4].join(" "),
        "`write_maps` and `become_root` do the same as with root",
    )
}
