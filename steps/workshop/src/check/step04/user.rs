//! step04 in a user namespace, as step06 has it.

use std::process::Command;

use anyhow::{Context, Result};

use super::WAIT;
use super::blame::CAUSES;
use crate::check::running::{self, Running};
use crate::check::scratch::Scratch;
use crate::check::{Attempt, outside};
use crate::text::tell;

/// A user namespace in which only root is somebody.
const UNSHARE: [&str; 2] = ["--user", "--map-root-user"];

/// Looks at it.
pub(super) fn look(attempt: &mut Attempt, scratch: &Scratch) -> Result<()> {
    let mut control = Command::new("unshare");
    control.args(UNSHARE).arg("true");
    if !running::run(control).is_ok_and(|report| report.status == Some(0)) {
        tell(format_args!(
            "no user namespace can be made here, so that userxattr is not \
             tried"
        ));
        return Ok(());
    }
    // Whoever is mapped to root owns it, and so may get there.
    let binary = scratch.copy(attempt.binary(), "debug/step04")?;
    scratch.give_to(0)?;
    let image = scratch.join("rootfs");
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(binary).arg("-q").arg("--image").arg(image);
    command.args(["--", "sh", "-c", WAIT]);
    let what = "it starts in a user namespace";
    let running = match Running::start(command)? {
        Ok(running) => running,
        Err(report) => return attempt.failed(what, &report, CAUSES),
    };
    attempt.found(what, true, "", "", "")?;
    let mount = outside::mount_at(running.pid, "/");
    let options = mount.context("find its root")?.super_options;
    attempt.found(
        "its extended attributes are then `user.*`",
        options.iter().any(|one| one == "userxattr"),
        options.join(","),
        "userxattr among them",
        "`mount_overlay`: the option userxattr, with a comma before it, where \
         `is_in_user_namespace` says so",
    )
}
