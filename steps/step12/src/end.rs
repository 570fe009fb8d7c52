//! `step12 kill`, `delete`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use step00::child::signal;
use step00::{Ending, Process};
use step11::state::has_ended;

use crate::flags::Host;
use crate::launcher::hooks;
use crate::state::{self, Container, First, State, Status};

/// How long a process that was sent SIGKILL may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The flags of `kill`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Kill {
    /// Every process of the container, and not the first one alone
    #[arg(short, long)]
    pub all: bool,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,

    /// A number or a name: 15, TERM, SIGTERM, RTMIN+3
    #[arg(value_name = "SIGNAL", default_value = "SIGTERM")]
    #[arg(value_parser = parse_signal)]
    pub signal: i32,
}

/// Sends a signal.
///
/// # Errors
/// When the container has ended, unless all are meant.
pub fn kill(host: &Host, args: &Kill) -> Result<Ending> {
    let (state, folder) = state::find(&host.root()?, &args.id)?;
    let status = state.status(&folder)?;
    if args.all {
        // What it has left behind, too.
        state.cgroup.kill(args.signal)?;
        return Ok(Ending::Exited(0));
    }
    let Some(process) = status.process() else {
        bail!("container not running");
    };
    signal(process, args.signal)
        .with_context(|| format!("send signal {}", args.signal))?;
    if args.signal == libc::SIGKILL {
        // Without a PID namespace of its own nobody ends the others; and what
        // is frozen by version 1 of the groups does not even die.
        let numbers = step00::Proc::of(process.pid).numbers();
        let is_first = numbers.is_ok_and(|it| it.last() == Some(&1));
        if !is_first || matches!(status, Status::Paused(_)) {
            state.cgroup.kill(libc::SIGKILL)?;
        }
    }
    Ok(Ending::Exited(0))
}

/// Reads a signal as people and engines write it.
///
/// # Errors
/// For what is none.
pub fn parse_signal(text: &str) -> Result<i32, String> {
    let unknown = || format!("unknown signal {text:?}");
    if let Ok(number) = text.parse() {
        let range = 0..=libc::SIGRTMAX();
        return range.contains(&number).then_some(number).ok_or_else(unknown);
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |base: i32, rest: &str| {
        let offset = if rest.is_empty() { Ok(0) } else { rest.parse() };
        let number = base + offset.map_err(|_| unknown())?;
        let range = libc::SIGRTMIN()..=libc::SIGRTMAX();
        range.contains(&number).then_some(number).ok_or_else(unknown)
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return real_time(libc::SIGRTMIN(), rest);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return real_time(libc::SIGRTMAX(), rest);
    }
    let signal = format!("SIG{name}").parse::<Signal>();
    signal.map(|it| it as i32).map_err(|_| unknown())
}

/// The flags of `delete`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Delete {
    /// Kill it first, if it has not ended; no error if there is none
    #[arg(short, long)]
    pub force: bool,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Forgets a container, and removes what was made for it.
///
/// # Errors
/// When it has not ended (without --force), or there is none of that name.
pub fn delete(host: &Host, args: &Delete) -> Result<Ending> {
    let root = host.root()?;
    let container = match Container::open(&root, &args.id) {
        Err(error) if args.force && is_unknown(&error) => {
            return Ok(Ending::Exited(0));
        }
        container => container?,
    };
    let state = match container.state() {
        // A `create` was killed before it wrote anything down.
        Err(_) if args.force => {
            container.remove_left()?;
            return Ok(Ending::Exited(0));
        }
        state => state?,
    };
    if args.force {
        destroy(host, container, &state)?;
        return Ok(Ending::Exited(0));
    }
    let status = state.status(&container.folder)?;
    // Who was sent a signal just now has a moment for its end.
    let ends = status.process().is_none_or(|it| has_ended(it, 500));
    let is_over = match status {
        // As runc has it, and engines expect it: nothing has run there yet.
        Status::Created(_) => true,
        Status::Creating => false,
        _ => ends,
    };
    if !is_over {
        bail!(
            "cannot delete container {} that is not stopped: {}",
            args.id,
            status.word()
        );
    }
    destroy(host, container, &state)?;
    Ok(Ending::Exited(0))
}

/// Is this the error for a container that is not there?
pub(crate) fn is_unknown(error: &anyhow::Error) -> bool {
    error.to_string().ends_with("does not exist")
}

/// Ends all its processes, and undoes what `create` has made.
///
/// # Errors
/// When a process does not end.
pub fn destroy(
    host: &Host,
    container: Container,
    state: &State,
) -> Result<()> {
    let process = state.first.as_ref().map(First::hold);
    let process = process.transpose()?.flatten();
    if let Some(process) = &process {
        let _ = signal(process, libc::SIGKILL);
    }
    // Also what has survived its first process, where that was not PID 1.
    state.cgroup.kill(libc::SIGKILL)?;
    if let Some(process) = &process {
        wait(process)?;
    }
    state.cgroup.remove()?;
    state.unmount()?;
    let config = container.config();
    container.remove()?;
    let stopped = state.describe("stopped", None)?;
    let hooks = config.map(|config| config.hooks.poststop);
    for hook in hooks.unwrap_or_default() {
        // The specification: a warning, and the others go on.
        if let Err(error) = hooks::run("poststop", &[hook], &stopped) {
            host.log.warning(&format!("{error:#}"));
        }
    }
    Ok(())
}

/// It is the caller's child or somebody else's; we only wait for its end.
fn wait(process: &Process) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !has_ended(process, 100) {
        if Instant::now() > end {
            bail!("process {} does not end", process.pid);
        }
    }
    Ok(())
}
