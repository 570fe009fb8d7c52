//! `workshop trial N BINARY`: tries a rung that has been built. `check` runs
//! it, as root where that is needed.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;
use nix::unistd::geteuid;

use super::scene::{self, Report, Scene};
use super::*;
use crate::ladder::Which;
use crate::peek::row::wrap;

/// The flags of `workshop trial`.
#[derive(Debug, Args)]
pub struct TrialArgs {
    /// The rung
    rung: Which,
    /// What was built of it
    binary: PathBuf,
}

/// Words of the kernel or of the rung, and the mistake that is behind them.
pub type Causes = [(&'static [&'static str], &'static str)];

/// One rung that is being looked at.
#[derive(Debug)]
pub struct Trial {
    binary: PathBuf,
    number: u8,
    met: usize,
    missed: usize,
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

    /// It did not get as far as it should have.
    ///
    /// # Errors
    /// Those of stdout.
    pub fn failed(
        &mut self,
        what: &str,
        report: &Report,
        causes: &Causes,
    ) -> Result<()> {
        let words = report.words();
        let hint = format!("cargo workshop hint {}", self.number);
        let stderr = &report.stderr;
        let is_panic = stderr.contains("panicked");
        let cause = match causes
            .iter()
            .find(|(texts, _)| texts.iter().all(|t| stderr.contains(t)))
        {
            _ if stderr.contains("is yours to write") => {
                format!("it is not written yet: {hint}")
            }
            Some((texts, cause)) if !texts.is_empty() || !is_panic => {
                (*cause).to_owned()
            }
            _ if is_panic => {
                "your code panicked, at the line that is named".into()
            }
            _ => "the words say which step failed, and what the kernel \
                     answered to it"
                .into(),
        };
        self.found(what, false, words, "no error", &cause)
    }

    /// Are these two the same?
    ///
    /// # Errors
    /// Those of stdout.
    pub fn same(
        &mut self,
        what: &str,
        found: impl Display,
        expected: impl Display,
        mistake: &str,
    ) -> Result<()> {
        let (found, expected) = (found.to_string(), expected.to_string());
        self.found(what, found == expected, found, expected, mistake)
    }

    /// Notes and prints one expectation. When it is not met: what was found,
    /// what should have been, and the likeliest mistake.
    ///
    /// # Errors
    /// Those of stdout.
    pub fn found(
        &mut self,
        what: &str,
        is_met: bool,
        found: impl Display,
        expected: impl Display,
        mistake: &str,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        print(&mut out, if is_met { "met" } else { "NOT" }, what)?;
        match is_met {
            true => self.met += 1,
            false => {
                self.missed += 1;
                detail(&mut out, "found", &found.to_string())?;
                detail(&mut out, "expected", &expected.to_string())?;
                detail(&mut out, "likely", mistake)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, mark: &str, what: &str) -> io::Result<()> {
    let mut lines = wrap(what, 72).into_iter();
    writeln!(out, "  {mark}  {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "       {line}"))
}

fn detail(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let text = if text.is_empty() { "nothing" } else { text.trim_end() };
    let text = crate::peek::proc::printable(&text.replace('\n', ", "));
    let mut lines = wrap(&text, 60).into_iter();
    let first = lines.next().unwrap_or_default();
    writeln!(out, "         {label:<8}  {first}")?;
    lines.try_for_each(|line| writeln!(out, "{:19}{line}", ""))
}
