//! `workshop trial N BINARY`: tries a rung that has been built. `check` runs
//! it, as root where that is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;
use nix::unistd::geteuid;

use super::report::Report;
use super::scene::{self, Scene};
use super::*;
use crate::ladder::Which;

/// The flags of `workshop trial`.
#[derive(Debug, Args)]
pub struct TrialArgs {
    /// The rung
    rung: Which,
    /// What was built of it
    binary: PathBuf,
}

/// One rung that is being looked at.
#[derive(Debug)]
pub struct Trial {
    binary: PathBuf,
    pub(super) number: u8,
    pub(super) met: usize,
    pub(super) missed: usize,
}

/// Tries it, and prints what was found.
///
/// # Errors
/// Something is not as expected.
pub fn run(args: &TrialArgs) -> Result<()> {
    let number = args.rung.0.number;
    let binary = args.binary.clone();
    let mut trial = Trial { binary, number, met: 0, missed: 0 };
    if geteuid().is_root() && number > 0 {
        outside::act_as_the_machine()?;
    }
    let look = match number {
        0 => step00::look,
        1 => step01::look,
        2 => step02::look,
        3 => step03::look,
        4 => step04::look,
        5 => step05::look,
        6 => step06::look,
        7 => step07::look,
        8 => step08::look,
        9 => step09::look,
        10 => step10::look,
        _ => step11::look,
    };
    look(&mut trial)?;
    let Trial { met, missed, .. } = trial;
    if missed > 0 {
        bail!("{met} of {} as expected", met + missed);
    }
    println!("All {met} are as expected.");
    Ok(())
}

impl Trial {
    /// The rung's command line, without colours and the ledger.
    #[must_use]
    pub fn command(&self, flags: &[&str], script: &str) -> Command {
        let mut command = Command::new(&self.binary);
        if self.number == 11 {
            command.arg("run");
        }
        command.arg("-q").args(flags).args(["--", "sh", "-c", script]);
        command
    }

    /// Runs another program than the shell.
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
        scene::run(command)
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
        scene::run(self.command(flags, script))
    }

    /// Starts a script in the rung, and then waits. That it starts is the
    /// first expectation; when it does not, `causes` tell why.
    ///
    /// # Errors
    /// The program that was built cannot be started.
    pub fn start(
        &mut self,
        flags: &[&str],
        script: &str,
        causes: &Causes,
    ) -> Result<Option<Scene>> {
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
    /// As for [`Trial::start`].
    pub fn start_command(
        &mut self,
        what: &str,
        command: Command,
        causes: &Causes,
    ) -> Result<Option<Scene>> {
        match Scene::start(command)? {
            Ok(scene) => {
                self.found(what, true, "", "", "")?;
                Ok(Some(scene))
            }
            Err(report) => {
                self.failed(what, &report, causes)?;
                Ok(None)
            }
        }
    }
}
