//! What it means for the launcher that the command is PID 1.

use step00::stage::Dropped;
use step00::{Proc, Process, Stage, proc};

use crate::{Args, pid};

/// Sets the stage for a process that is the first of its PID namespace.
pub fn set_stage(stage: &mut Stage<'_>, args: &Args) {
    // A shell moves its jobs between foreground and background by process
    // group number, and in a new PID namespace the groups of the launcher's
    // terminal have no number at all. So it takes a terminal of its own.
    stage.own_terminal = true;
    stage.hooks.drops = drops;
    if args.init {
        stage.hooks.exec = &pid::run_as_init;
    }
}

/// Why would this signal not arrive, if it were sent now?
///
/// PID 1 has a shield: a signal for which it has no handler is dropped, unless
/// it is SIGKILL or SIGSTOP and comes from outside (pid_namespaces(7)). SIGCONT
/// lets go on what has been stopped before it is dropped.
pub fn drops(process: &Process, signal: i32) -> Option<Dropped> {
    if [libc::SIGKILL, libc::SIGSTOP, libc::SIGCONT].contains(&signal) {
        return None;
    }
    // All three from one reading: a signal is blocked until its handler is
    // there, and must not be found to be neither.
    let status = Proc::of(process.pid).read("status").unwrap_or_default();
    let has = |name| {
        let mask = proc::field(&status, name);
        let mask = mask.and_then(|m| u64::from_str_radix(m, 16).ok());
        mask.unwrap_or(u64::MAX) & (1 << (signal - 1)) != 0
    };
    // Not dropped: a signal that it catches, has chosen to ignore, or blocks
    // in order to read it later, as our init does.
    if ["SigCgt", "SigIgn", "SigBlk"].into_iter().any(has) {
        return None;
    }
    Some(Dropped {
        why: "the command is PID 1 and has no handler",
        remedy: "--init puts a PID 1 with handlers before it.",
    })
}
