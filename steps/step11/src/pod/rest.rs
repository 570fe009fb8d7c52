//! What a container leaves behind that is not PID 1 of its own processes.
//!
//! When PID 1 ends, the kernel ends all others of its namespace (step02). In a
//! namespace that several containers share there is one PID 1, and the command
//! of the others is an ordinary process: its children live on. They are
//! known by their files: the mount namespace is not shared.

use std::fs;

use anyhow::Result;
use nix::unistd::Pid;
use step00::child::signal;
use step00::{Guardian, Proc};

use crate::enter;
use crate::state::has_ended;

/// How often it is looked for more. Who forks as fast as it is killed is left
/// to its control group (step07), or to PID 1.
const ROUNDS: usize = 100;

/// A guardian that ends them once the launcher does, however it does. To be
/// started while the process waits, and the launcher has one thread.
pub(super) fn end_with_us(files: String) -> Result<Guardian> {
    Guardian::start(&[], move || {
        (0..ROUNDS).all(|_| end_some(&files));
    })
}

/// Ends those that are there now. Were there any?
fn end_some(files: &str) -> bool {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let ended = pids.filter(|&pid| end(pid, files).is_some());
    ended.count() > 0
}

fn end(pid: i32, files: &str) -> Option<()> {
    let process = Proc::of(Pid::from_raw(pid));
    // Held first, and looked at then: a number may be used again.
    let held = enter::open(pid, process.start_time().ok()?).ok()?;
    let is_its = process.namespace("mnt").is_ok_and(|its| its == files);
    if !is_its {
        return None;
    }
    signal(&held, libc::SIGKILL).ok()?;
    has_ended(&held, 1000);
    Some(())
}
