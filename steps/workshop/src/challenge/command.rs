//! The command `challenge`: it lists, tells, hints and tries.

use std::io::Write;

use anyhow::{Context, Result, bail};

use super::Challenge;
use crate::check::built::Built;
use crate::check::{build, step07};
use crate::ladder::{LADDER, Repository, Rung, Which};
use crate::learn::hint::layout;
use crate::learn::progress::Progress;

/// The flags of `workshop challenge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rung: 3 or step03 [default: list them all]
    #[arg(value_name = "N")]
    rung: Option<Which>,

    /// Try your rung, as you have changed it, and look at it from outside
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    #[arg(requires = "rung", conflicts_with = "hint")]
    check: Option<Option<String>>,

    /// Give a hint; one more each time
    #[arg(long, value_name = "NAME", num_args = 0..=1, requires = "rung")]
    hint: Option<Option<String>>,

    /// Run it in a virtual machine with cgroup v2 (scripts/vm)
    #[arg(long, requires = "check")]
    vm: bool,
}

/// Does what is asked for.
///
/// # Errors
/// There is no such challenge; or it is not met yet.
pub fn run(
    args: &Args,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let progress = Progress::load(repository)?;
    let Some(Which(rung)) = args.rung else {
        return list(&progress, out);
    };
    match (&args.check, &args.hint) {
        (Some(name), _) => {
            let one = choose(rung, name.as_deref(), &progress)?;
            check(rung, one, args.vm, repository, out)
        }
        (_, Some(name)) => {
            let one = choose(rung, name.as_deref(), &progress)?;
            hint(rung, one, progress, out)
        }
        (None, None) => tell(rung, &progress, out),
    }
}

fn list(progress: &Progress, out: &mut impl Write) -> Result<()> {
    writeln!(out, "Flags that the rungs do not have yet. They are yours:\n")?;
    for rung in LADDER {
        for one in rung.challenges {
            let mark = if has_met(progress, rung, one) { "met" } else { "" };
            let (name, title) = (rung.name(), title(rung, one));
            writeln!(out, "  {mark:<3}  {name}  {:<14}  {title}", one.name)?;
        }
    }
    writeln!(out)?;
    writeln!(out, "  cargo workshop challenge N          the task")?;
    writeln!(out, "  cargo workshop challenge N --hint   a hint")?;
    writeln!(out, "  cargo workshop challenge N --check  does yours do it?")?;
    Ok(())
}

/// The first line of its text, as far as it goes before the flag.
fn title(rung: &Rung, one: &Challenge) -> &'static str {
    let line = one.text(rung).lines().next().unwrap_or_default();
    line.split(": `").next().unwrap_or(line).trim_end_matches('.')
}

fn has_met(progress: &Progress, rung: &Rung, one: &Challenge) -> bool {
    let entry = progress.of(rung);
    entry.is_some_and(|entry| entry.challenges.contains(one.name))
}

fn tell(rung: &Rung, progress: &Progress, out: &mut impl Write) -> Result<()> {
    let (name, number) = (rung.name(), rung.number);
    for one in rung.challenges {
        let mark = match has_met(progress, rung, one) {
            true => " (met)",
            false => "",
        };
        writeln!(out, "{name}, {}{mark}\n", one.name)?;
        writeln!(out, "{}\n", layout(one.text(rung)))?;
        let line = format!("cargo workshop challenge {number}");
        let vm = if one.with_groups { " --vm" } else { "" };
        writeln!(out, "  {line} --hint {}", one.name)?;
        writeln!(out, "  {line} --check {}{vm}\n", one.name)?;
    }
    writeln!(
        out,
        "Change the rung itself, steps/{name}/src, and not its exercise; git \
         diff shows\nwhat you have changed."
    )?;
    Ok(())
}

/// The one that is meant, or the first that is not met.
fn choose(
    rung: &Rung,
    name: Option<&str>,
    progress: &Progress,
) -> Result<&'static Challenge> {
    let all = rung.challenges;
    let Some(name) = name else {
        let next = all.iter().find(|one| !has_met(progress, rung, one));
        return next.or(all.first()).context("it has none");
    };
    find(rung, name)
}

/// The challenge of this name.
///
/// # Errors
/// There is none; the message names those that there are.
pub fn find(rung: &Rung, name: &str) -> Result<&'static Challenge> {
    let names = rung.challenges.iter().map(|one| one.name);
    let names: Vec<&str> = names.collect();
    match rung.challenges.iter().find(|one| one.name == name) {
        Some(one) => Ok(one),
        None => bail!(
            "{} has no such challenge, but\n  {}",
            rung.name(),
            names.join(", ")
        ),
    }
}

fn hint(
    rung: &Rung,
    one: &Challenge,
    mut progress: Progress,
    out: &mut impl Write,
) -> Result<()> {
    let hints = one.hints(rung);
    let (given, _) = progress.entry(rung).hint(one.name, hints.len());
    progress.keep();
    let (name, count, number) = (rung.name(), hints.len(), rung.number);
    for (at, hint) in (1..).zip(&hints[..given]) {
        writeln!(out, "{name}, {}: hint {at} of {count}\n", one.name)?;
        writeln!(out, "{}\n", layout(hint))?;
    }
    let reference =
        format!("steps/{name}/exercise/challenges/{}.patch", one.name);
    match given < count {
        true => writeln!(
            out,
            "One more: cargo workshop challenge {number} --hint {}",
            one.name
        )?,
        false => writeln!(out, "That is all; one way to do it: {reference}")?,
    }
    Ok(())
}

/// Builds the rung as it is now, without its exercise, and tries it.
fn check(
    rung: &'static Rung,
    one: &Challenge,
    vm: bool,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    if one.with_groups && !vm {
        step07::is_possible()?;
    }
    writeln!(out, "{}, {}: your rung", rung.name(), one.name)?;
    out.flush()?;
    let Some(binary) = build::build(repository, rung, true)? else {
        bail!("it does not compile yet: cargo has said why");
    };
    let name = Some(one.name);
    let trial =
        Built { rung, binary: &binary, vm, patience: None, challenge: name };
    if !trial.run()? {
        bail!("{}, {}: it is not there yet", rung.name(), one.name);
    }
    let mut progress = Progress::load(repository)?;
    progress.entry(rung).challenges.insert(one.name.into());
    progress.keep();
    Ok(writeln!(out, "Met. What else there is: cargo workshop challenge")?)
}
