//! `workshop` alone: the ladder, what is done of it, and what to do next.

use std::io::Write;

use anyhow::Result;

use crate::ladder::{LADDER, Repository, Rung, unwritten};
use crate::learn::half::is_as_it_came;
use crate::learn::progress::Progress;
use crate::text::{WIDTH, columns};

const BEGINNING: &str = "\
Blindfolds & Handcuffs: a container is an ordinary process that sees less
(namespaces) and may use less (cgroups). The ladder puts one on at a time:
";

const END: &str = "\
On the way:
  cargo workshop start N         what to read, and what to write
  cargo workshop check N         look at what your code did, from outside
  cargo workshop hint N          a hint; one more each time
  cargo workshop solution N      the reference, after a try
  cargo workshop challenge       more to do, beyond the exercises
  cargo workshop reset N         the exercise as it came; yours is kept
  cargo workshop class FOLDER    who of a class stands where; --hand-in
  cargo workshop doctor          which rungs run here, what mends the rest
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
        row(rung, &progress, repository, out)?;
    }
    writeln!(out)?;
    let is_broken = |rung: &&Rung| progress.of(rung).is_some_and(|e| e.broken);
    for rung in LADDER.iter().filter(is_broken) {
        let (name, number) = (rung.name(), rung.number);
        writeln!(out, "{name} was done, but its last check failed:")?;
        line(out, &format!("cargo workshop check {number}"), "what broke?")?;
    }
    match LADDER.iter().find(|rung| !progress.is_done(rung)) {
        Some(rung) => next(rung, repository, out)?,
        None => writeln!(out, "All of it is done: you have built it.")?,
    }
    writeln!(out)?;
    Ok(out.write_all(END.as_bytes())?)
}

/// One rung: how far it is, and what it took.
fn row(
    rung: &Rung,
    progress: &Progress,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let own = repository.read_exercise(rung);
    let is_begun = own.is_ok_and(|own| !is_as_it_came(rung, &own));
    let entry = progress.of(rung);
    let state = match entry {
        Some(entry) if entry.broken => "broke",
        Some(entry) if entry.done => "done",
        _ if is_begun => "begun",
        _ => "",
    };
    let (tries, hints) =
        entry.map_or((0, 0), |entry| (entry.tries, entry.hinted()));
    let took = [count(tries, "try", "tries"), count(hints, "hint", "hints")];
    let took: Vec<String> = took.into_iter().flatten().collect();
    let text = format!("  {state:<5}  {}  {:<42}", rung.name(), rung.adds);
    // A narrow terminal would break the line.
    let took = if columns() < WIDTH { String::new() } else { took.join(", ") };
    Ok(writeln!(out, "{}", format!("{text} {took}").trim_end())?)
}

/// `3 tries`; nothing for none.
fn count(number: u32, one: &str, many: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        // Anybody can write to the file: no line becomes longer.
        number => Some(format!("{} {many}", number.min(999))),
    }
}

/// What to do about the first rung that is not done. `check` comes before
/// `cargo run`: it keeps the machine out of it.
fn next(
    rung: &Rung,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let (name, number) = (rung.name(), rung.number);
    let own = repository.read_exercise(rung).unwrap_or_default();
    let path = rung.exercise();
    writeln!(out, "Next: {name}")?;
    match unwritten(&own).first() {
        Some(_) if is_as_it_came(rung, &own) => {
            let start = format!("cargo workshop start {number}");
            line(out, &start, "what to read, what to write")?;
            line(out, &path.display().to_string(), "write it yourself")?;
        }
        Some(function) => {
            writeln!(out, "  {}: write {function}", path.display())?;
        }
        None => {}
    }
    let check = format!("cargo workshop check {number}");
    line(out, &check, "does it work? before you run it")
}

fn line(out: &mut impl Write, command: &str, what: &str) -> Result<()> {
    Ok(writeln!(out, "  {command:<29}  {what}")?)
}
