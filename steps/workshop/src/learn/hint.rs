//! `workshop hint N`: one hint more each time, from a nudge to nearly the
//! answer. The hints of a rung are in its exercise/hints.md, by function.

use std::io::Write;

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::ladder::{Repository, Rung, Which, unwritten};
use crate::learn::progress::Progress;
use crate::text::{WIDTH, columns, reflow};

/// The flags of `workshop hint`.
#[derive(Debug, Args)]
pub struct Hint {
    /// The rung: 3 or step03
    #[arg(value_name = "N")]
    rung: Which,

    /// For which function [default: the first that is not written yet]
    function: Option<String>,
}

impl Hint {
    /// For this function; for the first that is not written, where none is
    /// named.
    #[must_use]
    pub fn of(rung: &'static Rung, function: Option<&str>) -> Hint {
        let function = function.map(str::to_owned);
        Hint { rung: Which(rung), function }
    }
}

/// Gives the next hint, after those that were given before.
///
/// # Errors
/// There is no such function, or all of them are written.
pub fn run(
    args: &Hint,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let rung = args.rung.0;
    let function = choose(args, repository)?;
    let hints = hints_of(rung.hints, &function);
    let mut progress = Progress::load(repository)?;
    let (given, is_more) = progress.entry(rung).hint(&function, hints.len());
    progress.keep();

    let (name, count) = (rung.name(), hints.len());
    for (number, hint) in (1..).zip(&hints[..given]) {
        writeln!(out, "{name}, {function}: hint {number} of {count}\n")?;
        writeln!(out, "{}\n", layout(hint))?;
    }
    let number = rung.number;
    match is_more {
        false => writeln!(
            out,
            "That is all there is: cargo workshop solution {number}"
        )?,
        true if given < count => {
            writeln!(
                out,
                "One more: cargo workshop hint {number} {function}"
            )?;
        }
        true => {}
    }
    Ok(())
}

/// The text as it is, or broken anew for a narrow terminal.
#[must_use]
pub fn layout(hint: &str) -> String {
    match columns() {
        WIDTH => hint.to_owned(),
        narrow => reflow(hint, narrow),
    }
}

/// The function that is meant, or the next one to be written.
fn choose(args: &Hint, repository: &Repository) -> Result<String> {
    let rung = args.rung.0;
    let functions = rung.functions();
    let names = functions.join(", ");
    if let Some(wanted) = &args.function {
        ensure!(
            functions.contains(&wanted.as_str()),
            "{} has no {wanted} to write, but\n  {names}",
            rung.name()
        );
        return Ok(wanted.clone());
    }
    let exercise = repository.read_exercise(rung)?;
    match unwritten(&exercise).first() {
        Some(first) => Ok((*first).to_owned()),
        None => bail!(
            "all of {name} is written. Does it work? cargo workshop check \
             {number}\n  a hint on one of its functions ({names}):\n  \
             cargo workshop hint {number} {first}",
            name = rung.name(),
            number = rung.number,
            first = functions.first().unwrap_or(&"")
        ),
    }
}

/// The hints for one function, the first being the vaguest.
#[must_use]
pub fn hints_of<'a>(markdown: &'a str, function: &str) -> Vec<&'a str> {
    let title = format!("{function}\n");
    let mut sections = markdown.split("\n## ");
    let section = sections.find_map(|text| text.strip_prefix(&*title));
    let hints = section.unwrap_or_default().split("\n### ").skip(1);
    // The rest of the title is its number.
    let texts = hints.filter_map(|hint| hint.split_once('\n'));
    texts.map(|(_, text)| text.trim_matches('\n')).collect()
}

/// What is wrong with the hints of a rung, in words.
#[cfg(test)]
fn complaint(rung: &Rung) -> Option<String> {
    let solution: String = rung.solution.split_whitespace().collect();
    for function in rung.functions() {
        let hints = hints_of(rung.hints, function);
        if hints.is_empty() || hints.len() > 5 {
            return Some(format!("{function} has {} hints", hints.len()));
        }
        let lines = hints.iter().flat_map(|hint| hint.lines());
        let is_wide = |line: &&str| line.chars().count() > 80;
        if let Some(line) = lines.clone().find(is_wide) {
            return Some(format!("{function}: too long: {line}"));
        }
        // Indented lines are code; `…` is what the learner has to find.
        for line in lines.filter(|line| line.starts_with("    ")) {
            let mut rest = &*solution;
            for part in line.split('…') {
                let part: String = part.split_whitespace().collect();
                match rest.find(&part) {
                    Some(at) => rest = &rest[at + part.len()..],
                    None => return Some(format!("{function}: {line}")),
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::ladder::LADDER;

    /// A hint that leads to something other than the solution misleads.
    #[test]
    fn the_code_in_a_hint_is_that_of_the_solution() {
        let name = |rung: &crate::ladder::Rung| rung.name();
        let found = LADDER.iter().filter_map(|rung| {
            Some(format!("{}: {}", name(rung), super::complaint(rung)?))
        });
        let found: Vec<String> = found.collect();
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn a_hint_that_leads_astray_would_be_noticed() {
        let hints = LADDER[3].hints;
        for (old, new) in [
            ("umount2(\".\", MntFlags", "umount(\".\", MntFlags"),
            ("## pivot\n", "## turn\n"),
            ("MS_REC |", "MS_RDONLY |"),
        ] {
            let rung = crate::ladder::Rung {
                hints: hints.replace(old, new).leak(),
                ..LADDER[3]
            };
            assert!(super::complaint(&rung).is_some(), "{old}");
        }
    }
}
