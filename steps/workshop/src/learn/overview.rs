//! `workshop` alone: the ladder, what is done of it, and what to do next.

use std::io::Write;

use anyhow::Result;

use crate::ladder::{LADDER, Repository, Rung, unwritten};
use crate::learn::progress::Progress;

const BEGINNING: &str = "\
Blindfolds & Handcuffs: a container is an ordinary process that sees less
(namespaces) and may use less (cgroups). The ladder puts one on at a time:
";

const END: &str = "\
On the way:
  cargo workshop doctor          which rungs run here, what mends the rest
  cargo workshop check N         look at what your code did, from outside
  cargo workshop hint N          a hint; one more each time
  cargo workshop solution N      the reference, after a try
  cargo workshop reset N         the exercise as it came; yours is kept
  cargo workshop rootfs          make target/rootfs from what is here
  cargo workshop rootfs alpine   or import a real image
  cargo workshop peek --all      who on this machine lives in a container?
  cargo workshop apparmor        load the profile that step10 puts on
  cargo workshop measure         what does each rung cost, on this machine?
  cargo workshop clean           remove what the workshop made
Every command explains itself with --help.
";

/// Prints it.
///
/// # Errors
/// The file with the progress cannot be understood.
pub fn run(repository: &Repository, out: &mut impl Write) -> Result<()> {
    let progress = Progress::load(repository)?;
    writeln!(out, "{BEGINNING}")?;
    for rung in LADDER {
        let state = match repository.read_exercise(rung) {
            _ if progress.is_done(rung) => "done",
            Ok(own) if own != rung.untouched => "begun",
            _ => "",
        };
        writeln!(out, "  {state:<5}  {}  {}", rung.name(), rung.adds)?;
    }
    writeln!(out)?;
    match LADDER.iter().find(|rung| !progress.is_done(rung)) {
        Some(rung) => next(rung, repository, out)?,
        None => writeln!(out, "All of it is done: you have built it.")?,
    }
    writeln!(out)?;
    Ok(out.write_all(END.as_bytes())?)
}

/// What to do about the first rung that is not done.
fn next(
    rung: &Rung,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let (name, number) = (rung.name(), rung.number);
    let own = repository.read_exercise(rung).unwrap_or_default();
    writeln!(out, "Next: {name}")?;
    let padded = format!("cargo run -p {name}");
    match unwritten(&own).first() {
        Some(_) if own == rung.untouched => {
            writeln!(out, "  {padded:<27}    see what it does")?;
            let path = rung.exercise();
            writeln!(out, "  {:<27}  write it yourself", path.display())?;
        }
        Some(function) => {
            let path = rung.exercise();
            writeln!(out, "  {}: write {function}", path.display())?;
        }
        None => {}
    }
    let padded = format!("cargo workshop check {number}");
    Ok(writeln!(out, "  {padded:<27}    does it work?")?)
}
