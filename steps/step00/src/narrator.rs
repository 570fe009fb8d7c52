//! The narrator tells on stderr what the process can see and use: the ledger.
//!
//! Every line is read back from /proc and /sys of the process as it is, just
//! before it executes its command. Nothing is printed because a flag asked for
//! it. stdout belongs to the command alone.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::ops::Deref;

use anyhow::{Context, Result};
use colored::{ColoredString, Colorize};
use nix::unistd::Pid;

use crate::child::Ending;
use crate::failure::Advice;
use crate::proc::Proc;

/// What a line of the ledger says about its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It sees what every process of the machine sees.
    Sees,
    /// A namespace: it has its own, and cannot see the machine's.
    Blind,
    /// It may use as much as there is.
    Free,
    /// A cgroup: it cannot use more than its share.
    Cuffed,
    /// It cannot ask the kernel for everything.
    Gagged,
}

/// One line of the ledger.
#[derive(Debug, Clone)]
pub struct Line {
    /// Blindfolded or not, handcuffed or not.
    pub mark: Mark,
    /// What the line is about: `hostname`, `network`, `memory` …
    pub subject: &'static str,
    /// What was found.
    pub text: String,
}

/// The process that a ledger is about, finished but for its execve(2).
#[derive(Debug)]
pub struct Subject {
    /// What the kernel says about it.
    pub proc: Proc,
    /// Its number outside.
    pub pid: Pid,
    /// What only the process itself could read: see
    /// [`Hooks::facts`](crate::Hooks).
    pub(crate) facts: BTreeMap<String, String>,
}

/// A rung's part of the ledger: what it reads of the process, from outside.
pub type Reader = fn(&Subject) -> Result<Vec<Line>>;

impl Deref for Subject {
    type Target = Proc;

    fn deref(&self) -> &Proc {
        &self.proc
    }
}

impl Subject {
    /// A process that has said nothing of itself yet.
    pub fn new(pid: Pid) -> Subject {
        Subject { proc: Proc::of(pid), pid, facts: BTreeMap::new() }
    }

    /// What it has said of itself under this name; nothing if it has not.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }
}

impl Line {
    /// A line about a subject.
    pub fn new(
        mark: Mark,
        subject: &'static str,
        text: impl Into<String>,
    ) -> Line {
        Line { mark, subject, text: text.into() }
    }

    fn print(&self, to: &mut impl Write) -> io::Result<()> {
        let (mark, subject) = (self.mark.word(), self.subject);
        // More than one line of text stands below the first.
        let text = self.text.replace('\n', "\n                   ");
        writeln!(to, "  {mark} {subject:<9} {text}")
    }
}

impl Mark {
    /// The word, in colour. It is padded first: colour codes have no width.
    pub fn word(self) -> ColoredString {
        match self {
            Mark::Sees => "SEES  ".yellow(),
            Mark::Blind => "blind ".green(),
            Mark::Free => "FREE  ".yellow(),
            Mark::Cuffed => "cuffed".green(),
            Mark::Gagged => "gagged".green(),
        }
    }
}

/// Prints the ledger. A line of a higher rung takes the place of a lower one's
/// about the same subject.
pub(crate) fn tell(
    rung: &str,
    subject: &Subject,
    ledger: &[Reader],
) -> Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    for read in ledger {
        let more = read(subject)
            .context("read the ledger back from /proc")
            .advice("-q runs the command without it")?;
        for line in more {
            match lines.iter_mut().find(|l| l.subject == line.subject) {
                Some(known) => *known = line,
                None => lines.push(line),
            }
        }
    }
    choose_colour(&io::stderr());
    let kernel = nix::sys::utsname::uname()?;
    let kernel = kernel.release().to_string_lossy().into_owned();
    let mut page = Vec::new();
    let pid = subject.pid;
    writeln!(
        page,
        "{rung}: process {pid} of this machine's kernel, {kernel}"
    )?;
    if crate::stage::IS_WORN {
        writeln!(page, "  (built with an exercise: your own code runs here)")?;
    }
    for line in lines {
        line.print(&mut page)?;
    }
    // One write: two rungs at once do not mix their lines. A closed stderr is
    // no reason not to run the command.
    let _ = io::stderr().write_all(&page);
    Ok(())
}

/// Prints a remark while the command runs. The terminal may be raw, and then
/// only \r goes back to the beginning of the line.
pub(crate) fn remark(text: &str) {
    let _ = match io::stderr().is_terminal() {
        true => write!(io::stderr(), "\r\n[{text}]\r\n"),
        false => writeln!(io::stderr(), "[{text}]"),
    };
}

/// Prints a line after the command's end, on stderr.
pub fn epilogue(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints something that was asked for *instead* of running a command, and so
/// on stdout. A reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) -> Result<Ending> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("write to stdout")
        }
        _ => Ok(Ending::Exited(0)),
    }
}

/// Colour is for terminals that have it (`TERM=dumb` says that one has not),
/// and for those who have not refused it. `colored` looks at stdout alone, but
/// the ledger goes to stderr.
pub fn choose_colour(stream: &impl IsTerminal) {
    let value = |name| std::env::var_os(name).unwrap_or_default();
    let wanted = stream.is_terminal()
        && value("NO_COLOR").is_empty()
        && value("TERM") != "dumb";
    colored::control::set_override(wanted);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &Line) -> String {
        let mut page = Vec::new();
        line.print(&mut page).expect("write to memory");
        String::from_utf8(page).expect("text")
    }

    #[test]
    fn a_line_has_mark_subject_and_text_below_each_other() {
        let line = Line::new(Mark::Blind, "hostname", "one\ntwo");
        let page = printed(&line);
        let mark = Mark::Blind.word().to_string();
        let below = " ".repeat(19);
        assert_eq!(page, format!("  {mark} hostname  one\n{below}two\n"));
        let words = [
            Mark::Sees.word(),
            Mark::Blind.word(),
            Mark::Free.word(),
            Mark::Cuffed.word(),
            Mark::Gagged.word(),
        ];
        let words = words.map(|word| (*word).to_owned());
        let right = ["SEES  ", "blind ", "FREE  ", "cuffed", "gagged"];
        assert_eq!(words, right);
    }

    #[test]
    fn a_subject_is_a_process_and_what_it_has_said() {
        let mut subject = Subject::new(Pid::this());
        assert_eq!(subject.fact("label"), "");
        subject.facts.insert("label".into(), "worn".into());
        assert_eq!(subject.fact("label"), "worn");
        assert_eq!(subject.fact("other"), "");
        let numbers = subject.numbers().expect("its numbers");
        assert_eq!(numbers[0], Pid::this().as_raw());
    }

    /// What a rung says of a subject takes the place of what one below said.
    #[test]
    fn every_subject_is_said_once() {
        let lines = crate::ledger::read(&Subject::new(Pid::this()));
        let lines = lines.expect("a ledger");
        let subjects: Vec<_> = lines.iter().map(|line| line.subject).collect();
        let mut once = subjects.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), subjects.len(), "{subjects:?}");
        assert!(subjects.contains(&"hostname"), "{subjects:?}");
        // This process is the reader's: it sees all that the reader does.
        let is_apart = lines.iter().any(|line| line.mark == Mark::Blind);
        assert!(!is_apart, "{lines:?}");
    }
}
