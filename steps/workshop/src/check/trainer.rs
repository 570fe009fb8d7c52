//! `check --watch`: a try after every save, what has turned since the last
//! one, and a few keys. Nothing that was printed is cleared.
//!
//! Each try is a process of its own, `workshop check N`: whatever becomes of
//! it, the next save is waited for.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};

use super::keys::{Keys, Signals};
use super::one_try::{Ending, OneTry};
use super::verdicts::Verdicts;
use super::watch::Watch;
use crate::ladder::{LADDER, Repository, Rung};
use crate::learn::hint::{self, Hint};
use crate::learn::progress::Progress;
use crate::text::tell;

/// What a wait ends with.
enum News {
    Saved,
    Hint,
    Next,
    Quit,
    Ended(Signal),
}

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
        match trainer.wait(out)? {
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

    /// Sleeps until there is news.
    fn wait(&mut self, out: &mut impl Write) -> Result<News> {
        let mut keys = Keys::take();
        let ways = match keys {
            Some(_) => "; or press h: a hint, n: the next rung, q: quit",
            None => " (Ctrl-C ends)",
        };
        writeln!(out, "\nwaiting for a file to be saved{ways}")?;
        out.flush()?;
        loop {
            let [is_signal, is_event, is_key] = self.poll(keys.is_some())?;
            // Keys are dropped, and the terminal is as before, when this ends.
            match is_signal.then(|| self.signals.next()).flatten() {
                Some(Signal::SIGTSTP) => {
                    drop(keys.take());
                    raise(Signal::SIGSTOP).context("stop, as Ctrl-Z says")?;
                }
                // The shell has had the terminal meanwhile.
                Some(Signal::SIGCONT) => {
                    drop(keys.take());
                    keys = Keys::take();
                }
                Some(Signal::SIGCHLD) | None => {}
                Some(signal) => return Ok(News::Ended(signal)),
            }
            if is_event && self.watch.has_news()? {
                return Ok(News::Saved);
            }
            let pressed = keys.as_ref().filter(|_| is_key).map(Keys::pressed);
            match pressed {
                Some(None) => return Ok(News::Quit),
                Some(Some(text)) => match meaning(&text) {
                    Some(news) => return Ok(news),
                    None => continue,
                },
                None => {}
            }
        }
    }

    /// Which of them has something: signals, the watch, the keyboard?
    fn poll(&self, with_keys: bool) -> Result<[bool; 3]> {
        let stdin = std::io::stdin();
        let mut fds = vec![
            PollFd::new(self.signals.fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.fd(), PollFlags::POLLIN),
        ];
        if with_keys {
            fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok([false; 3]),
            count => count.context("wait for a file to be saved")?,
        };
        let mut is_ready = [false; 3];
        for (ready, fd) in is_ready.iter_mut().zip(&fds) {
            *ready = fd.any().unwrap_or(false);
        }
        Ok(is_ready)
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

/// What a key asks for; a terminal's end-of-file is Ctrl-D.
fn meaning(pressed: &str) -> Option<News> {
    pressed.chars().find_map(|key| match key {
        'h' | 'H' | '?' => Some(News::Hint),
        'n' | 'N' => Some(News::Next),
        'q' | 'Q' | '\u{4}' => Some(News::Quit),
        _ => None,
    })
}
