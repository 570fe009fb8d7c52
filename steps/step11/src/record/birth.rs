//! What is written down of a container when it begins.

use std::ffi::OsString;

use anyhow::{Context, Result};
use step00::Running;
use step06::Connection;

use super::now;
use crate::Run;
use crate::state::{self, State};

/// As what it runs, by which process, and how it was asked for.
///
/// # Errors
/// When the start of its process cannot be read: without that, everybody would
/// take it for another one.
pub fn describe(
    name: &str,
    running: &Running,
    args: &Run,
    connection: &Connection,
) -> Result<State> {
    let pid = running.process.pid.as_raw();
    let ports = args.network.publish.iter();
    Ok(State {
        name: name.into(),
        command: running.command.arguments.iter().map(text).collect(),
        flags: flags(args),
        env: step03::variables(&args.root)?,
        image: args.overlay.image.clone(),
        workdir: args.root.workdir.clone(),
        default_user: args.overlay.default_user.clone(),
        hostname: args.record.hostname(&args.uts, name).hostname,
        directory: std::env::current_dir().context("find where we are")?,
        address: connection.address(),
        ports: ports.map(ToString::to_string).collect(),
        detached: args.record.detach,
        remove: args.record.rm,
        created: now(),
        pid,
        start: step07::start_time(pid as u32)
            .context("find when the container's process started")?,
        launcher: nix::unistd::getpid().as_raw(),
        boot: state::boot().context("tell this boot from others")?,
        ended: None,
        restarts: None,
    })
}

/// The flags of `run`: those of the first time, if there was one. Else they
/// are on this launcher's command line: the program, the word `run`, these,
/// and then the container's command, as given.
fn flags(args: &Run) -> Vec<String> {
    if let Some(former) = &args.record.again {
        return former.flags.clone();
    }
    let all: Vec<String> = std::env::args_os().map(|a| text(&a)).collect();
    let flags = &all[2..all.len() - args.typed.len()];
    flags.iter().filter(|flag| *flag != "--").cloned().collect()
}

fn text(text: &OsString) -> String {
    text.to_string_lossy().into_owned()
}
