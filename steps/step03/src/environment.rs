//! What the command must not inherit from the launcher: its environment, and
//! the descriptors that it has open.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use nix::unistd::{getpid, getsid, setsid};
use step00::child::close_all_but;
use step00::{Gate, Stage};

use crate::Args;
use crate::flags::variables;

/// Sets the stage for a process that shares no files with the launcher.
///
/// # Errors
/// When a file of variables cannot be read.
pub fn set_stage(
    stage: &mut Stage<'_>,
    args: &Args,
    uts: &step01::Args,
) -> Result<()> {
    clean_environment(stage, args, uts)?;
    stage.hooks.before_exec.push(leave_terminal);
    stage.hooks.before_exec.push(close_what_is_open);
    Ok(())
}

/// Gives the command a clean environment: the machine's variables name files
/// and secrets that are none of the container's business.
///
/// # Errors
/// As above.
pub fn clean_environment(
    stage: &mut Stage<'_>,
    args: &Args,
    uts: &step01::Args,
) -> Result<()> {
    let term = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let prompt = format!("{} # ", stage.rung);
    stage.command.environment.clear();
    // Root's, until a rung knows of other users.
    stage.hooks.home = Some(|| "/root".into());
    for (key, value) in [
        ("PATH", path),
        ("TERM", &term),
        ("HOSTNAME", &uts.hostname),
        ("PS1", &prompt),
    ] {
        stage.command.set(key, value);
    }
    for (key, value) in variables(args)? {
        if let Some(value) = value {
            stage.command.set(&key, value);
        }
    }
    Ok(())
}

/// Inside, where no terminal was made (in a pipe): a session without one.
///
/// /dev/tty is the terminal of the session that a process belongs to. If that
/// were the launcher's still, the command could ask the person in front of it
/// for a password, whatever its own stdin, stdout and stderr are. (Those have
/// been the caller's choice, and stay.)
fn leave_terminal(_: &Gate) -> Result<()> {
    // It leads one already where it has a terminal of its own.
    if getsid(None) == Ok(getpid()) {
        return Ok(());
    }
    setsid().map(drop).context("start a session without a terminal")
}

/// Inside, last of all: closes what the launcher was started with beside
/// stdin, stdout and stderr, and what it has opened itself.
///
/// Close-on-exec would be too late: execve(2) looks for the program before it
/// closes anything, and the image may hold a symbolic link to
/// /proc/self/fd/7/bin/sh (CVE-2024-21626).
fn close_what_is_open(gate: &Gate) -> Result<()> {
    close_all_but(&[Some(gate.as_fd().as_raw_fd())])
        .context("close what the launcher has open")
}
