//! What a process inherits from its launcher, and should not keep.

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::signal::{
    SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask,
};

// ANCHOR: launcher
/// Asks the kernel for SIGKILL when the launcher ends, even if it is killed
/// (prctl(2), PR_SET_PDEATHSIG). If it is dead already, the gate says
/// end-of-file. From step02 on this process is PID 1, and when PID 1 dies the
/// kernel kills all others in its namespace; before that, its own children
/// live on.
pub(super) fn die_with_launcher() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .context("set the parent-death signal")
}
// ANCHOR_END: launcher

/// Undoes what this process has inherited from a Rust program: blocked
/// signals, and SIGPIPE ignored. execve(2) would keep both.
pub(super) fn as_any_program_starts() -> Result<()> {
    // SAFETY: SIG_DFL is no handler of ours that could do something unsafe.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .context("unblock signals")
}
