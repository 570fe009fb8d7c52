//! A program that runs as root whoever starts it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use witness::{Folder, Machine};

use crate::{Answer, answers, container, errno, own_program};

/// Who this process is.
pub fn euid(_: &str) -> Answer {
    Ok(nix::unistd::geteuid().to_string())
}

/// What it may do.
pub fn powers(_: &str) -> Answer {
    let status = fs::read_to_string("/proc/self/status").map_err(errno)?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapEff:"));
    Ok(line.expect("the effective set").trim().into())
}

const NONE: &str = "0000000000000000";
/// step10's default, the fourteen capabilities that Docker leaves.
const DEFAULT: &str = "00000000a80425fb";

#[test]
fn a_set_user_id_program_gives_nothing() {
    let _machine = Machine::new();
    let folder = Folder::below(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let program = folder.join("become-root");
    fs::copy(own_program(), &program).expect("copy this program");
    // Root inside is this number outside.
    chown(&program, Some(100_000), Some(100_000)).expect("give it to root");
    let mode = Permissions::from_mode(0o4755);
    fs::set_permissions(&program, mode).expect("make it set-user-ID");
    let volume = format!("{}:/volume", folder.path().display());
    let user = ["--volume", &volume, "--user", "1000"];
    for (flags, who, powers) in [
        // The guard: no_new_privs (PR_SET_NO_NEW_PRIVS(2const)).
        (&[][..], "1000", NONE),
        // Behind it: root it becomes, but with what is in the bounding set
        // and nothing beside (capabilities(7)).
        (&["--new-privs", "--cap-drop", "all"], "0", NONE),
        // The control.
        (&["--new-privs"], "0", DEFAULT),
    ] {
        let flags = [&user[..], flags].concat();
        let mut command = witness::command("env");
        let attempts = ["euid", "powers"];
        command.args(container(&flags, "/volume/become-root", &attempts));
        assert_eq!(answers(command, 2), [who, powers], "{flags:?}");
    }
}
