//! `step12 events`: what a container uses, and when its memory is not enough.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use step00::Ending;

use crate::cgroup::Event;
use crate::flags::Host;
use crate::state;

/// The flags of `events`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Tell once what it uses, and end
    #[arg(long)]
    pub stats: bool,

    /// Tell what it uses each time that so much has passed: 5s, 1m
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub interval: String,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Prints a line of JSON for each event, until the container has ended.
///
/// # Errors
/// When it does not run.
pub fn events(host: &Host, args: &Args) -> Result<Ending> {
    let interval = humantime::parse_duration(&args.interval)
        .with_context(|| format!("read --interval {:?}", args.interval))?;
    ensure!(interval > Duration::ZERO, "--interval must not be 0");
    let (state, folder) = state::find(&host.root()?, &args.id)?;
    let tell = |kind: &str, data: Value| {
        let line = json!({ "type": kind, "id": args.id, "data": data });
        step00::print(&format!("{line}\n"))
    };
    if state.status(&folder)?.process().is_none() {
        bail!("container not running");
    }
    if args.stats {
        return tell("stats", state.cgroup.stats()?);
    }
    let mut notifier = state.cgroup.oom_notifier()?;
    loop {
        let event = notifier.next(interval)?;
        let has_ended = state.status(&folder)?.process().is_none();
        match event {
            Event::Oom => tell("oom", Value::Null)?,
            Event::Nothing if !has_ended => {
                tell("stats", state.cgroup.stats()?)?
            }
            _ => return Ok(Ending::Exited(0)),
        };
    }
}
