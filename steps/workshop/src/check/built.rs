//! A rung that has been built is tried, on both sides of sudo: [`Built`] starts
//! the hidden command `attempt N BINARY`, as root where the rung needs that,
//! and [`run_attempt`] is that command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::Attempt;
use super::expect::NotMet;
use super::running::{PATIENCE, be_patient};
use super::trial::contained;
use crate::challenge::find;
use crate::ladder::{Rung, Which};
use crate::text::tell;

/// An emulated machine takes its time.
const IN_VM: u64 = 60;

/// A rung that has been built, and is to be tried.
pub struct Built<'a> {
    pub rung: &'a Rung,
    pub binary: &'a Path,
    /// In the virtual machine?
    pub vm: bool,
    pub patience: Option<u64>,
    /// Not the exercise is looked at, but this challenge.
    pub challenge: Option<&'a str>,
}

impl Built<'_> {
    /// The attempt, as root if the rung needs that, and has it printed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self) -> Result<bool> {
        let scripts =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
        let own = std::env::current_exe().context("find this program")?;
        // The kernel says " (deleted)" behind the name of what was replaced.
        ensure!(
            own.exists(),
            "this program was built anew meanwhile: the same command once more"
        );
        let Built { rung, binary, vm, .. } = *self;
        let mut command = if vm {
            let mut command = Command::new(scripts.join("vm"));
            command.args(["--quiet", "--carry"]).arg(&own);
            command.arg("--carry").arg(binary).arg("--");
            command
        } else {
            // What cargo sets when it runs a rung: by this as-root decides.
            let mut command = Command::new(scripts.join("as-root"));
            command.env("CARGO_PKG_NAME", rung.name());
            command
        };
        command.arg(own).args(["attempt", &rung.number.to_string()]);
        command.arg(binary);
        let usual = if vm { IN_VM } else { PATIENCE };
        let patience = self.patience.unwrap_or(usual).to_string();
        command.args(["--patience", &patience]);
        if let Some(name) = self.challenge {
            command.args(["--challenge", name]);
        }
        let status = command.status().context("start the attempt")?;
        Ok(status.success())
    }
}

/// The flags of `workshop attempt`.
#[derive(Debug, Args)]
pub struct AttemptArgs {
    /// The rung
    rung: Which,
    /// What was built of it
    binary: PathBuf,
    /// How many seconds it may take
    #[arg(long, default_value_t = PATIENCE)]
    patience: u64,
    /// Look at this challenge in place of the exercise
    #[arg(long)]
    challenge: Option<String>,
}

/// Tries it, contained, and prints what was found. Exit status: 0 if all is as
/// expected, 1 if not, 128+N if signal N ended it.
///
/// # Errors
/// It could not be tried.
pub fn run_attempt(
    args: &AttemptArgs,
    out: &mut impl Write,
) -> Result<ExitCode> {
    be_patient(args.patience);
    let status = contained(|| match look(args, out) {
        Ok(()) => 0,
        Err(error) => {
            tell(format_args!("{error:#}"));
            1
        }
    })?;
    Ok(status.into())
}

/// Within the trial: looks until something is not as expected.
fn look(args: &AttemptArgs, out: &mut impl Write) -> Result<()> {
    let rung = args.rung.0;
    let name = args.challenge.as_deref();
    let challenge = name.map(|name| find(rung, name)).transpose()?;
    let mut attempt = Attempt::new(args.binary.clone(), rung);
    let look = challenge.map_or(rung.look, |challenge| challenge.look);
    let looked = look(&mut attempt);
    let met = attempt.met;
    let Err(error) = looked else {
        return Ok(writeln!(out, "All {met} are as expected.")?);
    };
    let Some(not_met) = error.downcast_ref::<NotMet>() else {
        return Err(error);
    };
    if let Some(challenge) = challenge {
        let (number, name) = (rung.number, challenge.name);
        let hint = format!("cargo workshop challenge {number} --hint {name}");
        writeln!(out, "Stuck? {hint}")?;
        bail!("{met} as expected, then one that is not");
    }
    let function = not_met.function.map(|name| format!(" {name}"));
    writeln!(
        out,
        "Stuck? cargo workshop hint {}{}",
        rung.number,
        function.unwrap_or_default()
    )?;
    bail!(
        "{met} as expected, the next one is not; those after it were not \
         looked at"
    )
}
