//! step06 without any root outside.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::check::scratch::Scratch;
use crate::check::{Attempt, Causes, outside};

const WRITES_ITSELF: &str = "`write_maps`: the helpers are for Writer::Helpers alone; a launcher \
     without them writes both maps itself";

const CAUSES: &Causes = &[
    (&["newuidmap 0 "], WRITES_ITSELF),
    (&["newgidmap 0 "], WRITES_ITSELF),
    (&["run new"], WRITES_ITSELF),
    (
        &["/uid_map", "Operation not permitted"],
        "does this machine let you make user namespaces? (cargo workshop \
         doctor). If so, `write_maps` has no more to write than one line, \
         `maps.uids`, once",
    ),
    (
        &["/setgroups", "Invalid argument"],
        "`write_maps`: the word that `setgroups` takes is \"deny\"",
    ),
    (
        &["/setgroups", "Operation not permitted"],
        "`write_maps`: `setgroups` can no longer be denied when gid_map has \
         been written: it comes first",
    ),
    (
        &["/gid_map", "Operation not permitted"],
        "`write_maps`: who is not root may write gid_map only after \"deny\" \
         was written to `setgroups`: in this order, and into that file",
    ),
    (
        &["open /proc/", "ENOENT"],
        "`write_maps`: the file is called setgroups, in the folder of `pid`",
    ),
    (
        &["EPERM"],
        "`become_user` may not call setgroups(2) where /proc/self/setgroups \
         says \"deny\": a line, so trim it",
    ),
];

/// Who starts it: the person behind sudo, or a number that no user has.
pub(super) struct Person {
    pub(super) uid: u32,
    /// Another number, or one would not see which of both was written where.
    pub(super) gid: u32,
    /// A copy of the program, which finds its image beside itself.
    pub(super) binary: PathBuf,
    /// All of it is this person's.
    pub(super) scratch: Scratch,
}

impl Person {
    pub(super) fn new(attempt: &Attempt) -> Result<Person> {
        let uid = std::env::var("SUDO_UID").ok().and_then(|n| n.parse().ok());
        let uid: u32 = uid.filter(|&uid| uid > 0).unwrap_or(61_234);
        let scratch = Scratch::new()?;
        let binary = scratch.copy(attempt.binary(), "debug/step06")?;
        scratch.copy_image(attempt.binary())?;
        scratch.give_to(uid)?;
        Ok(Person { uid, gid: uid + 1, binary, scratch })
    }

    /// The program, with programs of this folder alone.
    pub(super) fn command(&self, path: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        let script = "echo begun\ncat >/dev/null";
        command.args(["-q", "--rootless", "--", "sh", "-c", script]);
        command.uid(self.uid).gid(self.gid).current_dir("/");
        command.env("PATH", path).env_remove("SUDO_UID");
        command
    }
}

/// Without the helpers newuidmap and newgidmap.
pub(super) fn look(attempt: &mut Attempt, person: &Person) -> Result<()> {
    let Some(running) = attempt.start_command(
        "it starts without any root",
        person.command(Path::new("/nowhere")),
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
        [person.uid.to_string().as_str(); 4].join(" "),
        "`write_maps` and `become_root` do the same as with root",
    )
}
