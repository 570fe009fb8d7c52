//! Runs step12 on a bundle, and judges how it ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use std::os::unix::process::{CommandExt, ExitStatusExt};

use super::confine::confine;

/// No run takes longer, on however busy a machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A bundle, and what lies around it.
pub struct Place {
    pub folder: PathBuf,
    program: PathBuf,
}

/// How a command has ended: its status, and what it said.
pub struct Ended {
    pub status: i32,
    pub words: String,
}

impl Place {
    pub fn new(folder: &Path) -> Place {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_step12"));
        Place { folder: folder.to_owned(), program }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The log, emptied for each command.
    fn log(&self) -> PathBuf {
        self.path("log.json")
    }

    /// `step12 WORDS…`.
    ///
    /// # Errors
    /// It hangs, panics, or ends with another status than 0 and 1; or it
    /// fails and does not say why, or more than once, or in another form.
    pub fn step12(&self, words: &[&str]) -> Result<Ended> {
        let _ = fs::remove_file(self.log());
        let errors = self.path("errors");
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.path("state"));
        command.arg("--log").arg(self.log()).args(["--log-format", "json"]);
        command.args(words).current_dir(&self.folder).process_group(0);
        command.env_remove("RUST_BACKTRACE");
        // A container keeps what it was given: a pipe would have no end.
        command.stdin(Stdio::null()).stdout(File::create(self.path("out"))?);
        command.stderr(File::create(&errors)?);
        confine(&mut command, &self.folder);
        let status = self.wait(command)?;
        let words = fs::read(&errors)?;
        ensure!(words.len() < 20_000, "it says {} bytes", words.len());
        let words = String::from_utf8_lossy(&words).into_owned();
        let ended = Ended { status, words };
        self.judge(&ended)
            .with_context(|| format!("status {status}: {:?}", ended.words))?;
        Ok(ended)
    }

    fn wait(&self, mut command: Command) -> Result<i32> {
        let mut child = command.spawn()?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                let signal = status.signal().map(|signal| 128 + signal);
                return status.code().or(signal).context("a status");
            }
            if begun.elapsed() > LIMIT {
                let group = Pid::from_raw(i32::try_from(child.id())?);
                killpg(group, Signal::SIGKILL)?;
                child.wait()?;
                bail!("it hangs");
            }
            // A namespace's first process ends when all others are reaped,
            // and that is for the caller to do, as engines do.
            witness::process::reap_orphans();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn judge(&self, ended: &Ended) -> Result<()> {
        let Ended { status, words } = ended;
        ensure!(!words.contains("panicked"), "it panics");
        ensure!([0, 1].contains(status), "no such status is known");
        // What a stranger has put in must not speak to the terminal.
        let is_bad = |c: char| c.is_control() && c != '\n';
        ensure!(!words.contains(is_bad), "control characters");
        let is_error = |line: &&str| line.starts_with("step12: ");
        let errors = words.lines().filter(is_error).count();
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut logged = Vec::new();
        for line in log.lines() {
            let line: Value = serde_json::from_str(line)?;
            let is_empty = line["msg"].as_str().is_none_or(str::is_empty);
            ensure!(!is_empty && line["time"].is_string(), "a line: {line}");
            if line["level"] == "error" {
                logged.push(line);
            }
        }
        let right = usize::from(*status == 1);
        ensure!(logged.len() == right, "{} errors logged", logged.len());
        ensure!(right == 0 || errors >= 1, "it does not say why");
        Ok(())
    }
}
