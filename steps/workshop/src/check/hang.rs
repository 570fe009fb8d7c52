//! A rung that waits for ever, or goes round in circles: in which function?
//!
//! What the process has done so far tells. It is looked at as long as it is
//! there, for a rung that hangs is ended.

use std::process::{Command, id};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::scope;
use std::time::Duration;

use anyhow::Result;

use super::running::Running;
use super::{Attempt, Causes, outside};

/// How often it is looked at.
const TURN: Duration = Duration::from_millis(500);

/// Says by the numbers of the launcher and of the process that it has made (0:
/// none yet) which function has not done its part.
pub type Place = fn(i32, i32) -> &'static str;

impl Attempt {
    /// As [`Attempt::start_command`]. If it hangs, `place` is blamed.
    ///
    /// # Errors
    /// The program that was built cannot be started.
    pub fn start_watched(
        &mut self,
        what: &str,
        command: Command,
        causes: &Causes,
        place: Place,
    ) -> Result<Option<Running>> {
        let (started, function) = watched(command, place);
        match started? {
            Ok(running) => {
                self.found(what, true, "", "", "")?;
                Ok(Some(running))
            }
            Err(report) => {
                let is_hang = report.status.is_none();
                let function = function.filter(|_| is_hang).map(|function| {
                    format!(
                        "`{function}` waits for ever, or goes round in \
                         circles: it was ended"
                    )
                });
                let Some(mistake) = function else {
                    self.failed(what, &report, causes)?;
                    return Ok(None);
                };
                let likely = report.likely(&[], &mistake);
                let words = report.words();
                self.found(what, false, words, "no error", &likely)?;
                Ok(None)
            }
        }
    }
}

type Started = Result<Result<Running, super::report::Report>>;

/// Starts it, and looks at it until it has begun or ended.
fn watched(command: Command, place: Place) -> (Started, Option<&'static str>) {
    let seen = Mutex::new(None);
    let (done, ended) = channel::<()>();
    let before = outside::children(id() as i32);
    let started = scope(|scope| {
        scope.spawn(|| {
            let ended = ended;
            while ended.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                let new = outside::children(id() as i32);
                let mut new = new.iter().filter(|it| !before.contains(it));
                if let Some(&launcher) = new.next() {
                    let mut own = outside::children(launcher).into_iter();
                    let is_guardian =
                        |pid: &i32| outside::name(*pid) == "guardian";
                    let pid = own.rfind(|pid| !is_guardian(pid)).unwrap_or(0);
                    if let Ok(mut seen) = seen.lock() {
                        *seen = Some(place(launcher, pid));
                    }
                }
            }
        });
        let started = Running::start(command);
        drop(done);
        started
    });
    (started, seen.into_inner().unwrap_or(None))
}
