//! `step11 start` and `restart`: a container that has ended runs once more.
//!
//! It is a new process with the flags, the variables and the name of the old
//! one. What that has written is gone with it, unless it had `--upper`; its log
//! goes on where it was.

use anyhow::{Context, Result, ensure};
use step00::Ending;

use crate::state::{self, State};
use crate::{Names, end, exec, folder, run};

/// The flags of `start`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Start {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// Stay with it to its end, as `run` does without --detach
    #[arg(short, long)]
    pub attach: bool,

    /// Read from the launcher's stdin, as --attach does anyway
    #[arg(short, long, requires = "attach")]
    pub interactive: bool,
}

/// The flags of `restart`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Restart {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// After how many seconds SIGKILL follows SIGTERM
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(alias = "timeout")]
    pub time: u32,
}

/// Starts each that does not run.
///
/// # Errors
/// Those of `run`; the record of before is still there then.
pub fn start(rung: &'static str, args: &Start) -> Result<Ending> {
    if args.attach {
        let names = &args.which.names;
        ensure!(names.len() == 1, "--attach takes one container");
        let state = ended(&names[0])?;
        let state = state.with_context(|| format!("{} runs", names[0]))?;
        return again(rung, state, true);
    }
    args.which.each_silently(|name| match ended(name)? {
        Some(state) => again(rung, state, false).map(drop),
        None => step00::print(&format!("{name}\n")).map(drop),
    })
}

/// Stops each, and starts it.
///
/// # Errors
/// Those of `stop` and of `run`.
pub fn restart(rung: &'static str, args: &Restart) -> Result<Ending> {
    args.which.each_silently(|name| {
        // With --rm its record goes with its end, and is made once more. So
        // the launcher must have started itself once more before.
        let state = state::read(name)?;
        step10::prepare(&exec::recorded(&state)?.privileges)?;
        end::end(&state, Some(args.time))?;
        again(rung, state, false).map(drop)
    })
}

/// Its record, unless it runs.
fn ended(name: &str) -> Result<Option<State>> {
    let state = state::read(name)?;
    if state.status().process().is_some() {
        return Ok(None);
    }
    folder::settled(name)?;
    Ok(Some(state))
}

/// Runs it as it was run, from the folder in which that was typed. Detached,
/// its launcher prints the name.
fn again(rung: &'static str, former: State, attach: bool) -> Result<Ending> {
    let mut flags = exec::recorded(&former)?;
    flags.process.command = former.command.iter().map(Into::into).collect();
    flags.record.detach = !attach;
    flags.record.terminal = Default::default();
    std::env::set_current_dir(&former.directory).with_context(|| {
        format!("enter {}, where it was run", former.directory.display())
    })?;
    flags.record.again = Some(former);
    run::run(rung, &flags)
}
