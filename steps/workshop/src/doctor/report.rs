//! All findings, for people and for programs.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::finding::{ALL, Finding, Rungs, State, name};
use crate::text::{VERSION, WIDTH, fit, wrap};

/// Where a finding's text begins.
const INDENT: usize = 22;
/// A command that fits after `try:` is never broken.
const TRY: usize = 11;

/// What the doctor has to say.
#[derive(Debug)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Made of these findings.
    #[must_use]
    pub fn new(findings: Vec<Finding>) -> Report {
        Report { findings }
    }

    /// Can all rungs run?
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.state != State::Missing)
    }

    /// What keeps a rung from running; the first of them is to be mended
    /// first.
    fn blockers(&self, rung: u8) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.blocks(rung)).collect()
    }

    /// Prints it in at most 80 columns, the conclusion last: that stays in sight.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn print(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "what is here:")?;
        for finding in &self.findings {
            print_finding(finding, out)?;
        }
        writeln!(out, "which rungs run:")?;
        for rungs in self.alike() {
            self.print_rungs(rungs, out)?;
        }
        let count = ALL.numbers().count();
        let well =
            ALL.numbers().filter(|&rung| self.blockers(rung).is_empty());
        let summary = match well.count() {
            well if well == count => format!("All {count} rungs run here."),
            well => format!("{well} of {count} rungs run here."),
        };
        Ok(writeln!(out, "{summary}")?)
    }

    /// Neighbours with the same fate share a line.
    fn alike(&self) -> Vec<Rungs> {
        let subjects = |rung| -> Vec<&str> {
            self.blockers(rung).iter().map(|found| found.subject).collect()
        };
        let mut groups: Vec<Rungs> = Vec::new();
        for rung in ALL.numbers() {
            match groups.last_mut() {
                Some(last) if subjects(last.last) == subjects(rung) => {
                    *last = last.up_to(rung);
                }
                _ => groups.push(Rungs::only(rung)),
            }
        }
        groups
    }

    fn print_rungs(&self, rungs: Rungs, out: &mut impl Write) -> Result<()> {
        let names = rungs.names();
        let blockers = self.blockers(rungs.first);
        let Some(first) = blockers.first() else {
            return Ok(writeln!(out, "  {names:<18}  yes")?);
        };
        let subjects: Vec<_> = blockers.iter().map(|f| f.subject).collect();
        let text = format!("NO: {}", subjects.join(", "));
        print_wrapped(&format!("  {names:<18}  "), &text, out)?;
        print_mend(first, out)
    }

    /// # Errors
    /// Those of the writer.
    pub fn print_json(&self, out: &mut impl Write) -> Result<()> {
        let rungs = ALL.numbers().map(|rung| {
            let blockers = self.blockers(rung);
            let subjects: Vec<_> =
                blockers.iter().map(|found| found.subject).collect();
            let first = blockers.first().and_then(|f| f.mend.clone());
            json!({
                "rung": name(rung),
                "runs": blockers.is_empty(),
                "missing": subjects,
                "mend": first,
            })
        });
        let page = json!({
            "version": VERSION,
            "all_rungs_run": self.is_well(),
            "rungs": rungs.collect::<Vec<_>>(),
            "findings": self.findings,
        });
        Ok(writeln!(out, "{page:#}")?)
    }
}

fn print_finding(finding: &Finding, out: &mut impl Write) -> Result<()> {
    let (state, subject) = (finding.state.word(), finding.subject);
    let head = format!("  {state:<7}  {subject:<10} ");
    let text = match finding.state {
        State::Fine => finding.text.clone(),
        _ => format!("{} [{}]", finding.text, finding.rungs.names()),
    };
    print_wrapped(&head, &text, out)?;
    print_mend(finding, out)
}

/// The command stands alone on its line: it is there to be copied. A terminal
/// that is too narrow breaks it itself, and it is copied as one all the same.
fn print_mend(finding: &Finding, out: &mut impl Write) -> Result<()> {
    let Some(mend) = &finding.mend else { return Ok(()) };
    let mut head = format!("{:>TRY$}try: ", "");
    for line in wrap(mend, WIDTH - TRY - 5) {
        writeln!(out, "{head}{line}")?;
        head = " ".repeat(head.len());
    }
    Ok(())
}

fn print_wrapped(head: &str, text: &str, out: &mut impl Write) -> Result<()> {
    let mut lines = wrap(text, fit(WIDTH - INDENT)).into_iter();
    writeln!(out, "{head}{}", lines.next().unwrap_or_default())?;
    for line in lines {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    Ok(())
}
