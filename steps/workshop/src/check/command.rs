//! The commands `check` and, as root where that is needed, the hidden `attempt
//! N BINARY`, which tries a rung that has been built.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::unistd::geteuid;

use super::expect::NotMet;
use super::running::{PATIENCE, be_patient};
use super::trial::contained;
use super::{Attempt, build, step07, trainer};
use crate::challenge::find;
use crate::ladder::{LADDER, Repository, Rung, Which};
use crate::learn::half::is_as_it_came;
use crate::learn::progress::Progress;
use crate::text::tell;

/// An emulated machine takes its time.
const IN_VM: u64 = 60;

/// The flags of `workshop check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The rung: 3 or step03 [default: the first that is not done]
    #[arg(value_name = "N")]
    rung: Option<Which>,

    /// Check the reference instead of your code
    #[arg(long)]
    solution: bool,

    /// Do it again whenever one of the rung's files is saved
    #[arg(long)]
    watch: bool,

    /// Run it in a virtual machine with cgroup v2 (scripts/vm)
    #[arg(long)]
    vm: bool,

    /// How long your code may take before it is ended [default: 10, or 60 in
    /// the virtual machine]
    #[arg(long, value_name = "SECONDS")]
    patience: Option<u64>,

    /// It has been said already what root is needed for
    #[arg(long, hide = true)]
    again: bool,
}

impl Check {
    /// What each try of `--watch` gets as well.
    fn flags(&self) -> Vec<String> {
        let flags = [("--solution", self.solution), ("--vm", self.vm)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let patience = self.patience.map(|s| format!("--patience={s}"));
        flags.map(|(flag, _)| flag.into()).chain(patience).collect()
    }
}

/// Checks once, or again and again.
///
/// # Errors
/// Something is not as expected, or the code does not compile.
pub fn run(
    args: &Check,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let progress = Progress::load(repository)?;
    let first = LADDER.iter().find(|rung| !progress.is_done(rung));
    let rung = match (args.rung, first) {
        (Some(Which(rung)), _) | (None, Some(rung)) => rung,
        (None, None) => bail!("all is done; name a rung to check it again"),
    };
    if args.watch {
        return trainer::run(rung, repository, args.flags(), out);
    }
    if rung.number == 7 && !args.vm {
        step07::is_possible()?;
    }
    if !args.again {
        explain_root(rung, args);
    }
    match once(args, repository, rung, out)? {
        true => Ok(()),
        false => bail!("{} is not there yet", rung.name()),
    }
}

/// One build, one attempt; and the result is noted.
fn once(
    args: &Check,
    repository: &Repository,
    rung: &Rung,
    out: &mut impl Write,
) -> Result<bool> {
    let name = rung.name();
    let whose = match args.solution {
        true => format!("the reference, {}.rs", rung.primitive),
        false => "your code, exercise.rs".into(),
    };
    writeln!(out, "{name}: {whose}")?;
    out.flush()?;
    let binary = build::build(repository, rung, args.solution)?;
    let is_met = match binary {
        Some(binary) => {
            let Check { vm, patience, .. } = *args;
            let binary = &binary;
            Trial { rung, binary, vm, patience, challenge: None }.run()?
        }
        None => {
            writeln!(out, "It does not compile yet: cargo has said why.")?;
            let number = rung.number;
            writeln!(out, "Stuck? cargo workshop hint {number}")?;
            false
        }
    };
    if !args.solution {
        note(repository, rung, is_met)?;
    }
    match (is_met, args.solution) {
        (true, true) => writeln!(out, "The reference does what it should.")?,
        (true, false) => {
            writeln!(out, "Done. What is next: cargo workshop")?;
        }
        (false, _) => {}
    }
    Ok(is_met)
}

/// An exercise that was not begun is no try.
fn note(repository: &Repository, rung: &Rung, is_met: bool) -> Result<()> {
    if is_as_it_came(rung, &repository.read_exercise(rung)?) {
        return Ok(());
    }
    let mut progress = Progress::load(repository)?;
    progress.entry(rung).note(is_met);
    progress.keep();
    Ok(())
}

/// A rung that has been built, and is to be tried.
pub struct Trial<'a> {
    pub rung: &'a Rung,
    pub binary: &'a Path,
    /// In the virtual machine?
    pub vm: bool,
    pub patience: Option<u64>,
    /// Not the exercise is looked at, but this challenge.
    pub challenge: Option<&'a str>,
}

impl Trial<'_> {
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
        let Trial { rung, binary, vm, .. } = *self;
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

/// Says before sudo asks what it is for.
fn explain_root(rung: &Rung, args: &Check) {
    if geteuid().is_root() || rung.number == 0 || args.vm {
        return;
    }
    let name = rung.name();
    tell(format_args!(
        "{name} makes namespaces, and whoever looks at a process of root's \
         must\n  be root, too; so sudo may ask for your password"
    ));
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
    bail!("{met} as expected, then one that is not; what is after it waits")
}
