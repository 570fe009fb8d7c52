//! `check --watch`: a try after every save, what has turned since the last
//! one, and a few keys. Nothing that was printed is cleared.
//!
//! Each try is a process of its own, `workshop check N`: whatever becomes of
//! it, the next save is waited for.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::keys::Signals;
use super::one_try::{Ending, OneTry};
use super::verdicts::Verdicts;
use super::wait::{News, wait};
use super::watch::Watch;
use crate::ladder::{LADDER, Repository, Rung};
use crate::learn::hint::{self, Hint};
use crate::learn::progress::Progress;
use crate::text::tell;

/// Who watches.
struct Trainer<'a> {
    repository: &'a Repository,
    rung: &'static Rung,
    /// `--solution`, `--vm` …: each try gets them, too.
    flags: Vec<String>,
    /// This program, under the name that it began with.
    program: PathBuf,
    watch: Watch,
    signals: Signals,
    /// The last try that got as far as an expectation.
    last: Verdicts,
    /// The function that the last failure was about.
    function: Option<&'static str>,
    is_first: bool,
}

/// Tries, waits for a save, and tries again, until it is told to stop.
///
/// # Errors
/// The folder cannot be watched, or a try cannot be started.
pub fn run(
    rung: &'static Rung,
    repository: &Repository,
    flags: Vec<String>,
    out: &mut impl Write,
) -> Result<()> {
    let mut trainer = Trainer {
        repository,
        rung,
        flags,
        program: std::env::current_exe().context("find this program")?,
        watch: Watch::new(repository, rung)?,
        signals: Signals::block()?,
        last: Verdicts::default(),
        function: None,
        is_first: true,
    };
    let mut is_due = true;
    loop {
        let ended = is_due.then(|| trainer.attempt(out)).transpose()?;
        if let Some(signal) = ended.flatten() {
            trainer.signals.obey(signal);
            return Ok(());
        }
        is_due = false;
        match wait(&mut trainer.watch, &trainer.signals, out)? {
            News::Saved => is_due = trainer.is_there(out)?,
            News::Hint => trainer.hint(out)?,
            News::Next => is_due = trainer.next(out)?,
            News::Quit => return Ok(()),
            News::Ended(signal) => {
                trainer.signals.obey(signal);
                return Ok(());
            }
        }
    }
}

impl Trainer<'_> {
    /// One try, and what has turned. Returns the signal that ended it.
    fn attempt(&mut self, out: &mut impl Write) -> Result<Option<Signal>> {
        let mut arguments = vec!["check".to_owned()];
        arguments.push(self.rung.number.to_string());
        arguments.extend(self.flags.iter().cloned());
        if !self.is_first {
            arguments.push("--again".into());
        }
        self.is_first = false;
        let root = &self.repository.0;
        let one = OneTry::start(&self.program, &arguments, root)?;
        let text = match one.follow(&self.signals, out)? {
            Ending::Signal(signal) => return Ok(Some(signal)),
            Ending::Text(text) => text,
        };
        let verdicts = Verdicts::of(&text);
        self.function = verdicts.function(self.rung);
        if !self.last.is_empty() && !verdicts.is_empty() {
            writeln!(out)?;
            verdicts.compare(&self.last, out)?;
        }
        if !verdicts.is_empty() {
            self.last = verdicts;
        }
        Ok(None)
    }

    /// Is there anything to try? What was deleted may come back.
    fn is_there(&self, out: &mut impl Write) -> Result<bool> {
        let source = self.rung.exercise();
        let is_there = self.repository.0.join(&source).is_file();
        if !is_there {
            writeln!(
                out,
                "\n{} is gone; as it came: cargo workshop reset {}",
                source.display(),
                self.rung.number
            )?;
        } else {
            writeln!(out)?;
        }
        Ok(is_there)
    }

    /// The next hint for what failed.
    fn hint(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out)?;
        let hint = Hint::of(self.rung, self.function);
        if let Err(error) = hint::run(&hint, self.repository, out) {
            tell(format_args!("{error:#}"));
        }
        Ok(())
    }

    /// Goes on with the next rung that is not done.
    fn next(&mut self, out: &mut impl Write) -> Result<bool> {
        let progress = match Progress::load(self.repository) {
            Ok(progress) => progress,
            Err(error) => {
                tell(format_args!("{error:#}"));
                return Ok(false);
            }
        };
        let mut above =
            LADDER.iter().filter(|rung| rung.number > self.rung.number);
        let next = above.clone().find(|rung| !progress.is_done(rung));
        let Some(next) = next.or_else(|| above.next()) else {
            writeln!(out, "\n{} is the last rung", self.rung.name())?;
            return Ok(false);
        };
        self.watch = Watch::new(self.repository, next)?;
        self.rung = next;
        self.last = Verdicts::default();
        self.function = None;
        writeln!(out, "\n{}: {}", next.name(), next.adds)?;
        self.is_there(out)
    }
}
