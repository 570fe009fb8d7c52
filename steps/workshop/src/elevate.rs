//! The companion runs as the learner. The few commands that need root go
//! through sudo one by one, and are named, with the reason, before it asks.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;

use crate::text::tell;

/// Where Debian keeps programs for root; not in everybody's PATH.
const ROOTS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program's path, whether or not it is in the learner's PATH.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let folders = step00::search_path().into_iter();
    let folders = folders.chain(ROOTS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Runs one command as root.
///
/// # Errors
/// There is no sudo, it refuses, or the command fails.
pub fn elevate(program: &str, arguments: &[&str], why: &str) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    let mut command = as_root(program, why, &line)?;
    let status = command.args(arguments).status();
    let status = status.with_context(|| format!("run sudo {line}"))?;
    ensure!(status.success(), "{line}: it failed ({status})");
    Ok(())
}

/// The beginning of a command for root; prints `line`, which says so.
///
/// # Errors
/// There is no such program.
pub fn as_root(program: &str, why: &str, line: &str) -> Result<Command> {
    let path = find(program).with_context(|| format!("find {program}"))?;
    if geteuid().is_root() {
        return Ok(Command::new(&path));
    }
    tell(format_args!("{why}: sudo {line}"));
    let mut command = Command::new("sudo");
    command.arg("--").arg(&path);
    Ok(command)
}
