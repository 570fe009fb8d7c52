//! `step11 kill`: a signal to the first process of a container.

use anyhow::Result;
use nix::sys::signal::Signal;
use step00::Ending;

use crate::detach::restart;
use crate::state::{self, Status, has_ended};
use crate::{Names, end, folder};

/// The flags of `kill`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// Which one: a name as TERM or SIGTERM, or a number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    #[arg(value_parser = parse)]
    pub signal: i32,
}

/// Reads the name of a signal, with or without SIG, or its number.
///
/// # Errors
/// What is none: signal(7) lists them.
pub fn parse(text: &str) -> Result<i32, String> {
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = format!("SIG{name}").parse::<Signal>();
    let named = named.ok().map(|signal| signal as i32);
    let number = text.parse().ok();
    // The real-time signals have numbers only.
    let is_one = |number: &i32| (1..=libc::SIGRTMAX()).contains(number);
    named
        .or(number.filter(is_one))
        .ok_or("no signal: TERM, SIGTERM, 15; see signal(7)".into())
}

/// Sends it to each, and waits for the end where it is SIGKILL. What the kernel
/// is going to drop is told: most commands are not made for being PID 1.
///
/// # Errors
/// When one does not run.
pub fn kill(args: &Args) -> Result<Ending> {
    args.which.each(|name| {
        let state = state::read(name)?;
        // SIGKILL reaches a frozen process; others wait until it goes on.
        let process = match state.status() {
            Status::Paused(process) => process,
            _ => state.running()?,
        };
        if let Some(dropped) = step02::drops(&process, args.signal) {
            let signal = Signal::try_from(args.signal);
            let signal = signal.map_or("the signal", Signal::as_str);
            let (why, remedy) = (dropped.why, dropped.remedy);
            step00::epilogue(&format!(
                "{name}: {signal} dropped: {why}. {remedy}"
            ));
        }
        // Whoever kills it does not want it back.
        if [libc::SIGKILL, libc::SIGTERM].contains(&args.signal) {
            restart::no_more(&state)?;
        }
        end::send(&process, args.signal)?;
        if args.signal == libc::SIGKILL {
            has_ended(&process, -1);
            folder::settled(name)?;
        }
        Ok(())
    })
}
