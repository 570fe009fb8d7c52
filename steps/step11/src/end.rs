//! `step11 logs`, `stop` and `rm`: what comes at the end.

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use step00::child::signal;
use step00::{Ending, Proc, Process};

use crate::Names;
use crate::commands::pause;
use crate::commands::tail::{self, Tail};
use crate::detach::restart;
use crate::state::{self, State, Status, has_ended};
use crate::{folder, record};

/// The flags of `stop`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Stop {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// After how many seconds SIGKILL follows SIGTERM
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(alias = "timeout")]
    pub time: u32,
}

/// The flags of `rm`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Remove {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// Kill it first if it runs
    #[arg(short, long)]
    pub force: bool,
}

/// The flags of `logs`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Logs {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Go on printing until it ends
    #[arg(short, long)]
    pub follow: bool,

    /// Begin with the last N lines [default: all]
    #[arg(short = 'n', long, value_name = "N", default_value = "all")]
    #[arg(hide_default_value = true, value_parser = tail::parse)]
    pub tail: Tail,

    /// The container
    pub name: String,
}

/// Prints what the container has printed.
pub fn logs(args: &Logs) -> Result<Ending> {
    let state = state::read(&args.name)?;
    let folder = folder::find(&state.name)?.context("find its folder")?;
    let is_over = || match state::read(&args.name).map(|s| s.status()) {
        Ok(Status::Running(_) | Status::Paused(_)) => false,
        // Its launcher may still be writing the last lines to the log.
        _ => folder::settled(&state.name).is_ok(),
    };
    let follow: Option<&dyn Fn() -> bool> = match args.follow {
        true => Some(&is_over),
        false => None,
    };
    let printed = crate::log::print(&folder, args.tail, follow);
    match printed {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if is_broken_pipe(&error) => Ok(Ending::Exited(0)),
        printed => printed
            .map(|()| Ending::Exited(0))
            .with_context(|| format!("print the log of {}", state.name)),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Ends each: SIGTERM, then SIGKILL.
pub fn stop(args: &Stop) -> Result<Ending> {
    args.which.each(|name| end(&state::read(name)?, Some(args.time)))
}

/// Forgets each.
pub fn remove(args: &Remove) -> Result<Ending> {
    args.which.each(|name| {
        let state = state::read(name)?;
        if args.force {
            end(&state, None)?;
        }
        record::remove(name)
    })
}

/// Ends its first process, and with it the kernel ends all the others. With
/// `grace` it gets SIGTERM and so many seconds to finish its work. Most
/// commands have no handler for SIGTERM, and as PID 1 they survive it
/// (step02): then the seconds pass for nothing.
pub(crate) fn end(state: &State, grace: Option<u32>) -> Result<()> {
    go_on(state);
    // From here on this end is the last one.
    let state = &restart::no_more(state)?;
    let process = match state.status() {
        Status::Running(process) => process,
        // Frozen, it would neither get the signal nor act on it.
        Status::Paused(process) => {
            pause::set(&state.name, &process, false)?;
            process
        }
        _ => return folder::settled(&state.name),
    };
    if let Some(seconds) = grace.filter(|&seconds| seconds > 0) {
        send(&process, libc::SIGTERM)?;
        let milliseconds = seconds.saturating_mul(1000);
        if has_ended(&process, milliseconds.try_into().unwrap_or(i32::MAX)) {
            return folder::settled(&state.name);
        }
    }
    send(&process, libc::SIGKILL)?;
    has_ended(&process, -1);
    folder::settled(&state.name)
}

/// A launcher that somebody has stopped (SIGSTOP) would not see the end, and
/// not write it down. It is asked to go on, if it is still the launcher: the
/// parent of the container's first process.
fn go_on(state: &State) {
    let launcher = Pid::from_raw(state.launcher);
    let stat = |pid| Proc::of(pid).stat();
    let is_its = stat(Pid::from_raw(state.pid)).is_ok_and(|first| {
        first.start_time == state.start && first.parent == state.launcher
    });
    if is_its && stat(launcher).is_ok_and(|stat| stat.state == 'T') {
        let name = &state.name;
        step00::epilogue(&format!("the launcher of {name} was stopped"));
        let _ = kill(launcher, Signal::SIGCONT);
    }
}

/// Sends it, if it is not too late.
pub(crate) fn send(process: &Process, number: i32) -> Result<()> {
    match signal(process, number) {
        // It has ended in the meantime.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        sent => sent.with_context(|| format!("signal {}", process.pid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_is_no_error() {
        let pid = std::process::id();
        let start = step07::start_time(pid).expect("our own start");
        let own = crate::enter::open(pid as i32, start).expect("ourselves");
        assert!(send(&own, 0).is_ok());
        let error = send(&own, 9999).expect_err("no such signal");
        assert!(
            format!("{error:#}").contains("Invalid argument"),
            "{error:#}"
        );
    }
    fn is_stopped(pid: i32) -> bool {
        witness::process::state(pid) == Some('T')
    }

    /// The number of a process may be another one's by now, and the launcher's
    /// as well.
    #[test]
    fn only_its_own_launcher_is_asked_to_go_on() {
        let script = "sleep 1000 & kill -STOP $$; wait";
        let mut launcher = std::process::Command::new("sh")
            .args(["-c", script])
            .spawn()
            .expect("start a shell");
        let stopped = launcher.id() as i32;
        witness::eventually("it to stop", || is_stopped(stopped));
        let goes_on = |pid: i32, later: u64| {
            let start = step07::start_time(pid as u32).expect("its start");
            go_on(&state(pid, start + later, stopped));
            !is_stopped(stopped)
        };
        let child = witness::process::children(stopped)[0];
        let of_an_earlier_one = goes_on(child, 1);
        let of_another_parent = goes_on(stopped, 0);
        let its_own = goes_on(child, 0);
        for pid in [child, stopped] {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        witness::wait(&mut launcher);
        assert!(!of_an_earlier_one && !of_another_parent);
        assert!(its_own, "the control");
    }

    fn state(pid: i32, start: u64, launcher: i32) -> State {
        let state = serde_json::json!({
            "name": "box1", "command": [], "flags": [], "detached": true,
            "remove": false, "created": 0, "pid": pid, "start": start,
            "launcher": launcher, "boot": "", "ended": null,
        });
        serde_json::from_value(state).expect("a state")
    }
}
