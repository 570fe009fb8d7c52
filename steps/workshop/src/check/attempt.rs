//! A rung that has been built, and is being tried.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::report::{Causes, Report};
use super::running::{self, Running};
use crate::ladder::Rung;

/// One rung that is being looked at.
#[derive(Debug)]
pub struct Attempt {
    binary: PathBuf,
    pub(super) rung: &'static Rung,
    /// How many expectations were met.
    pub(super) met: usize,
}

impl Attempt {
    /// Of this rung, of which `binary` was built.
    #[must_use]
    pub fn new(binary: PathBuf, rung: &'static Rung) -> Attempt {
        Attempt { binary, rung, met: 0 }
    }

    /// The rung's command line, without colours and the ledger.
    #[must_use]
    pub fn command(&self, flags: &[&str], script: &str) -> Command {
        let mut command = Command::new(&self.binary);
        // The rung that keeps records of containers is to keep none.
        let subcommand = self.rung.subcommand.map(|word| [word, "--rm"]);
        command
            .args(subcommand.into_iter().flatten())
            .arg("-q")
            .args(flags)
            .args(["--", "sh", "-c", script]);
        command
    }

    /// Runs a program other than the shell.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run_program(
        &self,
        flags: &[&str],
        program: &[&str],
    ) -> Result<Report> {
        let mut command = Command::new(&self.binary);
        command.arg("-q").args(flags).arg("--").args(program);
        running::run(command)
    }

    /// What was built.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs a script in the rung to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, flags: &[&str], script: &str) -> Result<Report> {
        running::run(self.command(flags, script))
    }

    /// Starts a script in the rung, which then waits. That it starts is the
    /// first expectation; if it does not, `causes` tell why.
    ///
    /// # Errors
    /// The program that was built cannot be started.
    pub fn start(
        &mut self,
        flags: &[&str],
        script: &str,
        causes: &Causes,
    ) -> Result<Option<Running>> {
        let script = format!("{script}\necho begun\ncat >/dev/null");
        let what = match flags {
            [] => "it starts, and executes its command".into(),
            flags => format!("it starts with {}", flags.join(" ")),
        };
        self.start_command(&what, self.command(flags, &script), causes)
    }

    /// The same with a command line that is already put together.
    ///
    /// # Errors
    /// As for [`Attempt::start`].
    pub fn start_command(
        &mut self,
        what: &str,
        command: Command,
        causes: &Causes,
    ) -> Result<Option<Running>> {
        match Running::start(command)? {
            Ok(running) => {
                self.found(what, true, "", "", "")?;
                Ok(Some(running))
            }
            Err(report) => {
                self.failed(what, &report, causes)?;
                Ok(None)
            }
        }
    }
}
