//! The command `check`: builds a rung, has it tried, and notes the result.

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use nix::unistd::geteuid;

use super::built::Built;
use super::{build, step07, trainer};
use crate::ladder::{LADDER, Repository, Rung, Which};
use crate::learn::half::is_as_it_came;
use crate::learn::progress::Progress;
use crate::text::tell;

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
            Built { rung, binary, vm, patience, challenge: None }.run()?
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
