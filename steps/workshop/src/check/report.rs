//! How a rung has ended, what it said, and what that means.

use nix::sys::signal::Signal;

use super::running::{TOO_MANY, limit};

/// Words of the kernel or of the rung, all of which must have been said, and
/// the mistake behind them. The first row that fits is taken.
pub type Causes = [(&'static [&'static str], &'static str)];

/// What a rung has printed, and how it ended.
#[derive(Debug, Default)]
pub struct Report {
    /// Its exit status, or 128+N if signal N killed it; `None` if it did not
    /// end by itself and had to be killed.
    pub status: Option<i32>,
    /// What the command printed.
    pub stdout: String,
    /// What the rung printed.
    pub stderr: String,
}

impl Report {
    /// The status, in words.
    #[must_use]
    pub fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => "it did not end".into(),
        }
    }

    /// The status, what such a status means, and the last lines that the rung
    /// has printed: what the learner would have seen.
    #[must_use]
    pub fn words(&self) -> String {
        let lines = self.stderr.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(4)..].join("\n");
        let ending = match self.status {
            Some(status) => format!("status {status}{}", meaning(status)),
            None => {
                format!("it did not end in {} seconds", limit().as_secs())
            }
        };
        match last.is_empty() {
            true => format!("{ending}, and no word on stderr"),
            false => format!("{last}\n({ending})"),
        }
    }

    /// The function that it came upon and that is not written yet.
    #[must_use]
    pub fn unwritten(&self) -> Option<&str> {
        let (before, _) = self.stderr.split_once(" is yours to write")?;
        before.rsplit([' ', '\n']).next()
    }

    /// The mistake, if it has stopped for a reason that any function can
    /// give, and while it was in this one.
    #[must_use]
    pub fn stopped_in(&self, function: &str) -> Option<String> {
        if self.unwritten().is_some() {
            return Some(self.likely(&[], ""));
        }
        let said = |text| self.stderr.contains(text);
        let what = if said("overflowed its stack") {
            "calls itself, again and again"
        } else if said("not yet implemented") {
            "has a todo!() left, at the line that is named"
        } else if said("panicked at") {
            "panics, at the line that is named: what the kernel refuses is an \
             error, to be returned"
        } else if self.status.is_none() {
            "waits for ever, or goes round in circles: it was ended"
        } else {
            return None;
        };
        Some(format!("`{function}` {what}"))
    }

    /// The likeliest mistake behind this end: one of `causes`, what holds for
    /// every rung, or else `otherwise`.
    #[must_use]
    pub fn likely(&self, causes: &Causes, otherwise: &str) -> String {
        if let Some(function) = self.unwritten() {
            return format!("`{function}` is not written yet");
        }
        if self.stderr.contains(TOO_MANY) {
            return "it makes processes without end: does the child go on as \
                    if it were the parent, or is there a fork in a loop?"
                .into();
        }
        let said = |texts: &&[&str]| {
            texts.iter().all(|text| self.stderr.contains(text))
        };
        let is_panic = self.stderr.contains("panicked at");
        let named = causes.iter().find(|(texts, _)| said(texts));
        match named {
            Some((texts, cause)) if !texts.is_empty() || !is_panic => {
                (*cause).to_owned()
            }
            _ if self.stderr.contains("not yet implemented") => {
                "there is a todo!() left, at the line that is named".into()
            }
            _ if is_panic => {
                "your code panicked, at the line that is named".into()
            }
            _ => otherwise.to_owned(),
        }
    }
}

/// What the exit status of a rung means, where it is not the command's own:
/// those of a shell (sh(1)), and 125 for the launcher's.
fn meaning(status: i32) -> String {
    let signal = Signal::try_from(status - 128);
    match (status, signal) {
        (2, _) => ": the command line was refused".into(),
        (125, _) => ": the launcher stopped, before the command ran".into(),
        (126, _) => ": the command was found, but cannot be executed".into(),
        (127, _) => ": no such command was found".into(),
        (_, Ok(signal)) => {
            format!(": killed by {signal}, 128+{}", status - 128)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: Option<i32>, stderr: &str) -> Report {
        let stderr = stderr.to_owned();
        Report { status, stdout: String::new(), stderr }
    }

    #[test]
    fn a_status_is_explained_unless_it_is_the_commands() {
        for (status, words) in [
            (2, "command line"),
            (125, "launcher stopped"),
            (126, "cannot be executed"),
            (127, "no such command"),
            (139, "SIGSEGV, 128+11"),
        ] {
            let said = report(Some(status), "").words();
            assert!(said.contains(words), "{said}");
        }
        let said = report(Some(7), "").words();
        assert_eq!(said, "status 7, and no word on stderr");
        assert!(report(None, "").words().starts_with("it did not end"));
    }

    #[test]
    fn what_the_program_said_stands_in_it_line_by_line() {
        let said = report(Some(125), "step03: no\n  try this\n").words();
        assert!(said.starts_with("step03: no\ntry this\n(status 125"));
    }

    #[test]
    fn the_likeliest_mistake_is_the_first_that_fits() {
        const CAUSES: &Causes =
            &[(&["pivot", "EINVAL"], "named"), (&["EINVAL"], "less so")];
        let likely =
            |stderr: &str| report(Some(125), stderr).likely(CAUSES, "else");
        assert_eq!(likely("step03: pivot: EINVAL"), "named");
        assert_eq!(likely("step03: mount: EINVAL"), "less so");
        assert_eq!(likely("step03: mount: EPERM"), "else");
        let unwritten = "step03: pivot is yours to write: steps EINVAL";
        assert_eq!(likely(unwritten), "`pivot` is not written yet");
        let at = "thread 'main' panicked at x.rs:1:1:\n";
        assert!(likely(&format!("{at}no")).contains("panicked"));
        let todo = format!("{at}not yet implemented");
        assert!(likely(&todo).contains("todo!()"));
        let in_pivot = |stderr: &str, status| {
            report(status, stderr).stopped_in("pivot").unwrap_or_default()
        };
        let ended = Some(125);
        assert!(in_pivot(&todo, ended).starts_with("`pivot` has a todo!()"));
        assert!(in_pivot(at, ended).starts_with("`pivot` panics"));
        assert!(in_pivot("", None).starts_with("`pivot` waits"));
        assert_eq!(in_pivot("step03: EINVAL", ended), "");
        let rest: &Causes = &[(&[], "for all else")];
        assert_eq!(report(None, "").likely(rest, "else"), "for all else");
    }
}
