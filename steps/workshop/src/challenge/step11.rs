//! One namespace of a container, and no other.

use std::process::Command;

use anyhow::Result;

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step11.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("net-only", net_only)];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "`exec` has no such flag yet: exec.rs, `Args`",
)];

fn net_only(attempt: &mut Attempt) -> Result<()> {
    let name = format!("challenge-{}", std::process::id());
    let flags = ["--name", &name, "--network", "none"];
    let Some(first) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    let mut command = Command::new(attempt.binary());
    command.args(["exec", "--net-only", &name, "sh", "-c"]);
    command.arg("echo begun\ncat >/dev/null");
    let what = "exec --net-only starts a command";
    let Some(second) = attempt.start_command(what, command, CAUSES)? else {
        return Ok(());
    };
    let of = |pid: i32, kind: &str| {
        outside::proc(pid).namespace(kind).unwrap_or_default()
    };
    attempt.found(
        "it is in the container's network namespace",
        of(first.pid, "net") == of(second.pid, "net"),
        "another one",
        "that of the container",
        "`join` with CLONE_NEWNET, in the new process: `inside`",
    )?;
    for kind in ["mnt", "pid", "uts", "ipc", "user", "cgroup"] {
        attempt.found(
            &format!("its {kind} namespace is the machine's"),
            !outside::is_apart(second.pid, kind),
            "another one",
            "that of the launcher",
            "only the network is entered: the tools are the machine's",
        )?;
    }
    let root = outside::identity(format!("/proc/{}/root", second.pid))?;
    attempt.found(
        "and so are its files",
        root == outside::identity("/")?,
        "another /",
        "the machine's /",
        "without the mount namespace there is nothing to enter",
    )
}
