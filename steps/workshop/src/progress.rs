//! How far a long work has come: on a terminal a bar with bytes and the time
//! that is left, elsewhere a line now and then, and nothing about what is short.

use std::io::{self, IsTerminal, Read, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text::size;

/// Less than this is read before anybody has looked.
const SHORT: u64 = 64 << 20;

/// A work that takes a while. The bar goes when this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    unit: Unit,
    total: Option<u64>,
    /// How many lines have been due, where there is no terminal.
    told: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Rounds,
}

impl Progress {
    /// Of so many bytes; `None` where nobody knows.
    #[must_use]
    pub fn bytes(what: &str, total: Option<u64>) -> Progress {
        let shape = match total {
            Some(_) => {
                "  {msg} {wide_bar} {bytes} of {total_bytes}, {eta} left"
            }
            None => "  {msg} {spinner} {bytes}, {bytes_per_sec}",
        };
        Progress::new(what, Unit::Bytes, total, shape)
    }

    /// Of so many rounds.
    #[must_use]
    pub fn rounds(what: &str, total: u64) -> Progress {
        let shape = "  {msg} {wide_bar} {pos} of {len}, {eta} left";
        Progress::new(what, Unit::Rounds, Some(total), shape)
    }

    fn new(
        what: &str,
        unit: Unit,
        total: Option<u64>,
        shape: &str,
    ) -> Progress {
        let style = ProgressStyle::with_template(shape);
        let style = style.expect("a shape of this file").progress_chars("##-");
        let target = match has_cursor() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style);
        bar.set_message(what.to_owned());
        Progress { bar, what: what.to_owned(), unit, total, told: 0 }
    }

    /// So much of it is done.
    pub fn to(&mut self, done: u64) {
        self.bar.set_position(done);
        let due = self.due(done);
        if due > self.told && self.bar.is_hidden() {
            let line = self.line(done);
            // A closed stderr is no reason to stop.
            let _ = writeln!(io::stderr(), "workshop: {line}");
        }
        self.told = self.told.max(due);
    }

    /// How many lines should have been printed by now: one for each quarter.
    fn due(&self, done: u64) -> u64 {
        match (self.total, self.unit) {
            (Some(total), Unit::Bytes) if total < SHORT => 0,
            (Some(total), _) => done * 4 / total.max(1),
            (None, _) => done / (4 * SHORT),
        }
    }

    fn line(&self, done: u64) -> String {
        let amount = |number: u64| match self.unit {
            Unit::Bytes => size(number),
            Unit::Rounds => number.to_string(),
        };
        let (what, done) = (&self.what, amount(done));
        match self.total {
            Some(total) => format!("{what}: {done} of {}", amount(total)),
            None => format!("{what}: {done}"),
        }
    }

    /// What is read from `reader` is this work.
    pub fn of<R: Read>(self, reader: R) -> Counted<R> {
        Counted { reader, done: 0, progress: self }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A reader whose progress is shown.
#[derive(Debug)]
pub struct Counted<R> {
    reader: R,
    done: u64,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.done += count as u64;
        self.progress.to(self.done);
        Ok(count)
    }
}

/// A bar is drawn over itself again and again; `TERM=dumb` cannot do that.
fn has_cursor() -> bool {
    io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_for_each_quarter_of_what_is_long() {
        let long = Progress::bytes("reading x", Some(400 << 20));
        let due = [0, 99, 100, 399, 400].map(|done| long.due(done << 20));
        assert_eq!(due, [0, 0, 1, 3, 4]);
        assert_eq!(long.line(100 << 20), "reading x: 100 MiB of 400 MiB");
        // The control: what is short.
        let short = Progress::bytes("reading x", Some(1 << 20));
        assert_eq!(short.due(1 << 20), 0);
        let unknown = Progress::bytes("stdin", None);
        assert_eq!(unknown.due(600 << 20), 2);
        let rounds = Progress::rounds("measuring", 100);
        assert_eq!(rounds.due(50), 2);
        assert_eq!(rounds.line(50), "measuring: 50 of 100");
    }

    #[test]
    fn all_that_is_read_arrives() {
        let text = b"all of it";
        let mut counted = Progress::bytes("reading", None).of(&text[..]);
        let mut read = Vec::new();
        counted.read_to_end(&mut read).expect("read it");
        assert_eq!((&*read, counted.done), (&text[..], 9));
    }
}
