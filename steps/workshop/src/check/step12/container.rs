//! A container at its gate, seen from outside: by its folder and by /proc.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::Bundle;
use crate::check::outside;
use crate::check::report::Report;
use crate::check::running::limit;

/// Where its process has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It sleeps, and has not executed its program.
    Waiting,
    /// It was stopped there.
    Stopped,
    /// It has executed its program.
    Through,
    /// It has ended.
    Gone,
    /// It does something.
    OnItsWay,
}

/// It ends with this.
pub struct Container<'a> {
    pub bundle: &'a Bundle,
    /// Its whole name.
    pub id: String,
    /// Its process, outside.
    pub pid: i32,
}

impl Container<'_> {
    /// The one that `create` has made.
    ///
    /// # Errors
    /// It has written no number.
    pub fn find<'a>(bundle: &'a Bundle, id: &str) -> Result<Container<'a>> {
        let text = fs::read_to_string(bundle.pid_file(id));
        let text = text.context("read the number of its process")?;
        let pid = text.parse().context("read the number of its process")?;
        Ok(Container { bundle, id: bundle.name(id), pid })
    }

    /// The gate in its folder.
    pub fn gate(&self) -> PathBuf {
        self.bundle.folder(&self.id).join("gate")
    }

    /// Where is it now? (The third field of proc_pid_stat(5).)
    pub fn place(&self) -> Place {
        let state = state(self.pid);
        match (state, outside::name(self.pid) == Bundle::PROGRAM) {
            (None | Some('Z' | 'X'), _) => Place::Gone,
            (_, true) => Place::Through,
            (Some('S'), _) => Place::Waiting,
            (Some('T'), _) => Place::Stopped,
            _ => Place::OnItsWay,
        }
    }

    /// Waits until it gets there, or somewhere from where it cannot.
    pub fn comes_to(&self, place: Place) -> bool {
        let start = Instant::now();
        loop {
            let now = self.place();
            // From its program nothing leads back to the gate.
            let is_end = now == Place::Gone
                || now == Place::Through && place != Place::Gone;
            if now == place || is_end || start.elapsed() > limit() {
                return now == place;
            }
            sleep(Duration::from_millis(3));
        }
    }

    /// Waits until nobody has the gate open inside. The kernel closes it when
    /// execve(2) returns, a moment after the process has its new name.
    pub fn lets_go(&self) {
        let start = Instant::now();
        while self.take_outer_side().is_ok() && start.elapsed() < limit() {
            sleep(Duration::from_millis(3));
        }
    }

    /// The flags with which its process has the gate open.
    pub fn gate_flags(&self) -> Option<i32> {
        let folder = outside::proc(self.pid).path("fd");
        let gate = self.gate();
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut open = entries.filter(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target == gate)
        });
        let number = open.next()?.file_name();
        let file = format!("fdinfo/{}", number.to_string_lossy());
        let text = outside::read(self.pid, &file);
        let flags = text.lines().find_map(|it| it.strip_prefix("flags:"))?;
        i32::from_str_radix(flags.trim(), 8).ok()
    }

    /// Opens the gate's outer side, as `look` is to do it.
    ///
    /// # Errors
    /// ENXIO when nobody waits.
    pub fn take_outer_side(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        let options = options.write(true).custom_flags(libc::O_NONBLOCK);
        options.open(self.gate()).context("open the gate, for the check")
    }

    /// Puts a byte into the gate.
    ///
    /// # Errors
    /// As above.
    pub fn put_byte(&self) -> Result<()> {
        let mut gate = self.take_outer_side()?;
        gate.write_all(&[1]).context("open the gate, for the check")
    }

    /// Sends its process a signal.
    ///
    /// # Errors
    /// ESRCH when it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid), signal).context("send it a signal")
    }

    /// What its process has said when it could not go on.
    pub fn last_words(&self) -> Report {
        let path = self.bundle.folder(&self.id).join("words");
        let stderr = fs::read_to_string(path).unwrap_or_default();
        Report { status: Some(1), stderr, ..Report::default() }
    }

    /// Where it is and what it has said, for the learner.
    pub fn words(&self) -> String {
        let place = match self.place() {
            Place::Waiting => "it waits",
            Place::Stopped => "it was stopped",
            Place::Through => "its program is executed",
            Place::Gone => "it has ended",
            Place::OnItsWay => "it goes round in circles",
        };
        let said = self.last_words().stderr;
        format!("{place}\n{}", said.trim()).trim_end().to_owned()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // It is ours to reap, so the number is still its own.
        let _ = self.signal(Signal::SIGKILL);
        self.comes_to(Place::Gone);
    }
}

/// The state of a process, one letter.
pub fn state(pid: i32) -> Option<char> {
    let stat = outside::read(pid, "stat");
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.chars().next()
}
