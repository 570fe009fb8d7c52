//! Processes whose parent has ended, and which init is to bury.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{INIT, REAP};
use crate::check::{Attempt, outside};

/// Three orphans die while init is stopped: there is one SIGCHLD for all.
pub(super) fn look(attempt: &mut Attempt) -> Result<()> {
    let script = "for i in 1 2 3; do (exec sleep 1000 &); done";
    let Some(running) = attempt.start(INIT, script, REAP)? else {
        return Ok(());
    };
    let init = running.pid;
    let send = |pid, signal| kill(Pid::from_raw(pid), signal);
    wait_until(|| orphans(init).len() == 3);
    send(init, Signal::SIGSTOP)?;
    wait_until(|| outside::status(init, "State").starts_with('T'));
    for orphan in orphans(init) {
        send(orphan, Signal::SIGKILL)?;
    }
    wait_until(|| zombies(init) == 3);
    send(init, Signal::SIGCONT)?;
    wait_until(|| zombies(init) == 0);
    let left = zombies(init);
    let mistake = match left {
        3 => {
            "`reap` waits for the command alone, or does not wait at all: \
             P_ALL means any child, orphans as well"
        }
        _ => {
            "`reap` is called once for each SIGCHLD, but one may stand for \
             several: ask until nobody is left"
        }
    };
    let what = "three orphans end at once, and none is left a zombie";
    attempt.same(what, left, 0, mistake)?;
    let report = running.signal(Signal::SIGTERM)?;
    // The orphans were killed, and the command was not.
    if report.status == Some(128 + libc::SIGKILL) {
        let likely = "`reap` takes the end of any child for the command's: \
                      compare the number of who has ended";
        let what = "init goes on when an orphan has ended";
        return attempt.found(what, false, report.words(), "init", likely);
    }
    let mistake = match report.status {
        Some(125) => {
            "`reap` makes an error of an answer that is none: Ok(None) means \
             that nobody else has ended"
        }
        _ => {
            "`reap` does not return while the command runs, and init hears \
             nothing: WNOHANG makes waitid(2) return at once, and its answer \
             Ok(None) means that nobody else has ended"
        }
    };
    let what = "SIGTERM is handed on to the command, also after that";
    attempt.ended(what, &report, 143, REAP, mistake)
}

/// Those of init's children that are none of the command.
fn orphans(init: i32) -> Vec<i32> {
    let children = outside::children(init).into_iter();
    children.filter(|&pid| outside::name(pid) == "sleep").collect()
}

fn zombies(init: i32) -> usize {
    let children = outside::children(init).into_iter();
    let is_dead = |pid: &i32| outside::status(*pid, "State").starts_with('Z');
    children.filter(is_dead).count()
}

/// Waits for what takes no time, but for three seconds at most.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    (0..1000).any(|_| {
        let is_it = is_so();
        if !is_it {
            sleep(Duration::from_millis(3));
        }
        is_it
    });
}
