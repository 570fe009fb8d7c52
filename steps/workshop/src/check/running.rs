//! A rung that runs, and how it ended.
//!
//! The rung may hang or die at any point, so everything has a time limit, and
//! nothing outlives the check. Outputs go to files without a name
//! (memfd_create(2)): a pipe would have to be read all the time.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::outside;
use super::report::Report;

/// How long a rung may take, in seconds, if nobody asks for another patience.
pub const PATIENCE: u64 = 10;
/// What was asked for.
static ASKED: AtomicU64 = AtomicU64::new(PATIENCE);
/// More processes than any trial needs.
const CROWD: usize = 300;
/// How often that is looked at, in turns of a waiting loop.
const TURNS: u32 = 16;
/// How long a signal may take.
const SHORT: Duration = Duration::from_secs(3);

/// What stderr says of a fork that never ends.
pub const TOO_MANY: &str =
    "processes by now, and more every moment: all ended";

/// Lets a rung take so many seconds.
pub fn be_patient(seconds: u64) {
    ASKED.store(seconds, Ordering::Relaxed);
}

/// How long a rung may take.
#[must_use]
pub fn limit() -> Duration {
    Duration::from_secs(ASKED.load(Ordering::Relaxed))
}

/// A rung whose command waits for the end of its stdin.
#[derive(Debug)]
pub struct Running {
    launcher: Child,
    stdout: File,
    stderr: File,
    /// The process that was made: its number outside.
    pub pid: i32,
    /// What its script has printed.
    pub said: String,
    turns: u32,
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started.
pub fn run(mut command: Command) -> Result<Report> {
    command.stdin(Stdio::null());
    let mut running = Running::spawn(command)?;
    let status = running.wait(limit());
    running.report(status)
}

impl Running {
    fn spawn(mut command: Command) -> Result<Running> {
        let file = |name| memfd_create(name, MFdFlags::MFD_CLOEXEC);
        let stdout = File::from(file(c"stdout").context("make a file")?);
        let stderr = File::from(file(c"stderr").context("make a file")?);
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        // A rung prints no colours into a file, and no backtrace is wanted.
        command.env_remove("RUST_BACKTRACE");
        let launcher = command.spawn().with_context(|| {
            format!("start {}", command.get_program().to_string_lossy())
        })?;
        let (pid, said, turns) = (0, String::new(), 0);
        Ok(Running { launcher, stdout, stderr, pid, said, turns })
    }

    /// Starts `command`, whose script says `begun` when it has done its part
    /// and then waits. If it never does: how it ended.
    ///
    /// # Errors
    /// It cannot be started at all.
    pub fn start(mut command: Command) -> Result<Result<Running, Report>> {
        command.stdin(Stdio::piped());
        let mut running = Running::spawn(command)?;
        let start = Instant::now();
        loop {
            // In this order: all that it printed before its end is there.
            let has_ended = running.launcher.try_wait()?.is_some();
            let said = contents(&running.stdout)?;
            if let Some(said) = said.strip_suffix("begun\n") {
                running.said = said.to_owned();
                running.pid = running.find_process();
                return Ok(Ok(running));
            }
            if has_ended || start.elapsed() > limit() || running.is_crowded() {
                let status = running.wait(Duration::ZERO);
                return Ok(Err(running.report(status)?));
            }
            sleep(Duration::from_millis(3));
        }
    }

    /// The number of the launcher.
    #[must_use]
    pub fn launcher(&self) -> i32 {
        self.launcher.id() as i32
    }

    /// The youngest child of the launcher that is not a guardian.
    fn find_process(&self) -> i32 {
        let mut children = outside::children(self.launcher()).into_iter();
        let is_guardian = |pid: i32| outside::name(pid) == "guardian";
        children.rfind(|&pid| !is_guardian(pid)).unwrap_or(0)
    }

    /// Writes a line to its stdin.
    ///
    /// # Errors
    /// Nothing reads it any more.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.launcher.stdin.as_mut().context("an open stdin")?;
        writeln!(stdin, "{line}").context("write to its stdin")
    }

    /// Sends a signal to the launcher, as `kill` would, and waits for a while.
    ///
    /// # Errors
    /// What it printed cannot be read.
    pub fn signal(mut self, signal: Signal) -> Result<Report> {
        let _ = kill(Pid::from_raw(self.launcher()), signal);
        let status = self.wait(SHORT);
        self.report(status)
    }

    /// Lets the command come to its end.
    ///
    /// # Errors
    /// What it printed cannot be read.
    pub fn end(mut self) -> Result<Report> {
        drop(self.launcher.stdin.take());
        let status = self.wait(limit());
        self.report(status)
    }

    /// Its status; or `None` when time is up, and then it is killed.
    fn wait(&mut self, limit: Duration) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.launcher.try_wait() {
                let signal = status.signal().unwrap_or(0);
                return Some(status.code().unwrap_or(128 + signal));
            }
            if start.elapsed() > limit || self.is_crowded() {
                self.kill();
                return None;
            }
            sleep(Duration::from_millis(3));
        }
    }

    /// Are there more processes in the trial than there should ever be? Then
    /// all of them are ended (kill(2): -1 is every process but this one and the
    /// PID namespace's first, which this one is).
    fn is_crowded(&mut self) -> bool {
        self.turns = self.turns.wrapping_add(1);
        if std::process::id() != 1 || self.turns % TURNS != 0 {
            return false;
        }
        let count = outside::processes();
        if count < CROWD {
            return false;
        }
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        let _ = writeln!(self.stderr, "check: {count} {TOO_MANY}");
        true
    }

    /// Ends the launcher, and with it whatever it has made.
    fn kill(&mut self) {
        if !matches!(self.launcher.try_wait(), Ok(None)) {
            return; // its number may be another process's
        }
        // While its parent is alive, a child's number stays its own.
        for pid in outside::children(self.launcher()) {
            if outside::name(pid) != "guardian" {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }

    fn report(&self, status: Option<i32>) -> Result<Report> {
        let stdout = contents(&self.stdout)?;
        Ok(Report { status, stdout, stderr: contents(&self.stderr)? })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All of a file, wherever its writers have got to.
fn contents(file: &File) -> io::Result<String> {
    let length = file.metadata()?.len();
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
