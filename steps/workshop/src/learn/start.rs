//! `workshop start N`: what to read and what to write, in order; with `--half`
//! for a lesson of ninety minutes, in which only the essential is written.

use std::fs;
use std::io::Write;

use anyhow::Result;
use clap::Args;

use crate::ladder::{Repository, Rung, Which, unwritten};
use crate::learn::half::{function as body, half, size};
use crate::learn::progress::Progress;
use crate::learn::reset;

/// The flags of `workshop start`.
#[derive(Debug, Args)]
pub struct Start {
    /// The rung: 3 or step03 [default: the first that is not done]
    #[arg(value_name = "N")]
    rung: Option<Which>,

    /// Write all but the essential function into the exercise, for a short
    /// lesson; what you have written is kept
    #[arg(long)]
    half: bool,
}

/// Prints the way, and writes the half that is given if that is asked for.
///
/// # Errors
/// The exercise cannot be read, or written. Then nothing has been lost.
pub fn run(
    args: &Start,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let progress = Progress::load(repository)?;
    let rung = args.rung.map(|Which(rung)| rung);
    let rung = rung.unwrap_or_else(|| progress.next());
    if args.half {
        give(rung, repository, out)?;
    }
    let own = repository.read_exercise(rung)?;
    writeln!(out, "{}: {}\n", rung.name(), rung.adds)?;
    let mut way = Way { out, number: 0 };
    read_and_see(rung, repository, &mut way)?;
    write_and_check(rung, &own, &mut way)?;
    if !args.half && half(rung).is_some() && own == rung.untouched {
        let number = rung.number;
        writeln!(out, "\nLittle time? All but the essential is given with:")?;
        writeln!(out, "   cargo workshop start {number} --half")?;
    }
    Ok(())
}

/// Writes it, unless it is there already.
fn give(
    rung: &Rung,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let (name, shown) = (rung.name(), rung.exercise());
    let Some(text) = half(rung) else {
        writeln!(out, "{name} is short: all of it is yours to write\n")?;
        return Ok(());
    };
    let path = repository.0.join(&shown);
    if fs::read(&path).is_ok_and(|own| own == text.as_bytes()) {
        return Ok(());
    }
    let kept = reset::replace(rung, repository, &text)?;
    writeln!(out, "{}: half of it is given now", shown.display())?;
    if let Some(kept) = kept {
        writeln!(out, "yours is kept in {}", kept.display())?;
    }
    Ok(writeln!(out)?)
}

/// The way, in numbered steps.
struct Way<'a, W> {
    out: &'a mut W,
    number: u32,
}

impl<W: Write> Way<'_, W> {
    fn step(&mut self, what: &str, command: &str) -> Result<()> {
        self.number += 1;
        Ok(writeln!(self.out, "{}  {what:<6} {command}", self.number)?)
    }

    fn more(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "          {text}")?)
    }
}

fn read_and_see(
    rung: &Rung,
    repository: &Repository,
    way: &mut Way<'_, impl Write>,
) -> Result<()> {
    let name = rung.name();
    let chapter = format!("book/src/steps/{name}.md");
    let text = fs::read_to_string(repository.0.join(&chapter));
    way.step("read", &format!("{chapter}, up to \"Your turn\""))?;
    if let Some(minutes) = text.ok().as_deref().and_then(minutes) {
        way.more(&format!("about {minutes} minutes"))?;
    }
    way.step("see", &trial(rung).replace(" --features exercise", ""))
}

fn write_and_check(
    rung: &Rung,
    own: &str,
    way: &mut Way<'_, impl Write>,
) -> Result<()> {
    let (number, name) = (rung.number, rung.name());
    let (left, functions) = (unwritten(own), rung.functions());
    way.step("write", &rung.exercise().display().to_string())?;
    let given = half(rung).unwrap_or_default();
    let is_given = |name| body(own, name) == body(&given, name);
    let width = functions.iter().map(|name| name.len()).max().unwrap_or(0);
    for function in functions {
        let lines = match size(rung, function) {
            1 => "one line".into(),
            lines => format!("about {lines} lines"),
        };
        let state = match left.contains(&function) {
            true => format!("yours to write, {lines}"),
            false if is_given(function) => "given".into(),
            false => "written".into(),
        };
        way.more(&format!("{function:<width$}  {state}"))?;
    }
    let first = left.first().map(|first| format!(" {first}"));
    way.step("check", &format!("cargo workshop check {number} --watch"))?;
    way.more("before you run it: a check keeps your machine out of it")?;
    if number == 7 {
        way.more("with --vm where cgroups are version 1 (doctor says so)")?;
    }
    way.step(
        "stuck?",
        &format!(
            "cargo workshop hint {number}{}",
            first.as_deref().unwrap_or_default()
        ),
    )?;
    way.step("run", &trial(rung))?;
    let chapter = format!("book/src/steps/{name}.md");
    way.step("talk", &format!("{chapter}, \"Still visible\""))
}

/// The command that the exercise itself names to try it.
fn trial(rung: &Rung) -> String {
    let start = format!("cargo run -p {} --features exercise", rung.name());
    let lines = rung.untouched.lines();
    let lines = lines.filter_map(|line| line.strip_prefix("//! "));
    let mut found = lines.filter(|line| line.starts_with(&start));
    let line = found.next().unwrap_or(&start);
    line.split("  ").next().unwrap_or(line).trim().to_owned()
}

/// How long a chapter takes without its exercise, as its first line says:
/// `<!-- minutes: predict 5, see 15, …, turn 40, … -->`.
fn minutes(chapter: &str) -> Option<u32> {
    let line = chapter.lines().next()?.strip_prefix("<!-- minutes: ")?;
    let parts = line.strip_suffix(" -->")?.split(", ");
    let parts = parts.filter_map(|part| part.split_once(' '));
    let parts = parts.filter(|(name, _)| !["turn", "visible"].contains(name));
    parts.map(|(_, minutes)| minutes.parse::<u32>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::LADDER;

    #[test]
    fn what_a_chapter_takes_is_added_up_without_its_exercise() {
        let line = "<!-- minutes: predict 5, see 15, turn 40, visible 10 -->";
        assert_eq!(minutes(line), Some(20));
        assert_eq!(minutes("# A chapter"), None);
        assert_eq!(minutes("<!-- minutes: see lots -->"), None);
    }

    #[test]
    fn a_command_is_one_command() {
        for rung in LADDER {
            let command = trial(rung);
            assert!(command.len() < 70, "{command}");
            assert!(!command.contains("  "), "{command}");
        }
        let step03 = "cargo run -p step03 --features exercise -- ls /";
        assert_eq!(trial(&LADDER[3]), step03);
    }
}
