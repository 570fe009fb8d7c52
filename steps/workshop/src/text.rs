//! Text for people: what fits in a line, what is safe on a terminal, and how
//! paths and sizes are written.

use std::io::IsTerminal;
use std::path::Path;

mod window {
    nix::ioctl_read_bad!(size, libc::TIOCGWINSZ, nix::pty::Winsize);
}

/// What all texts are laid out for: the columns of an ordinary terminal, and
/// of most projectors.
pub const WIDTH: usize = 80;
/// Below that even a word does not fit any more.
const NARROW: usize = 30;

/// The columns of the terminal on stdout, at most [`WIDTH`]; where there is
/// none, [`WIDTH`].
#[must_use]
pub fn columns() -> usize {
    let stdout = std::io::stdout();
    let mut size =
        nix::pty::Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and this is one.
    let asked = unsafe { window::size(libc::STDOUT_FILENO, &raw mut size) };
    match usize::from(size.ws_col) {
        // A terminal that does not know says 0.
        columns if asked.is_ok() && columns > 0 && stdout.is_terminal() => {
            columns.clamp(NARROW, WIDTH)
        }
        _ => WIDTH,
    }
}

/// How much of `width`, in a layout for [`WIDTH`], is there on this terminal.
#[must_use]
pub fn fit(width: usize) -> usize {
    width.saturating_sub(WIDTH - columns()).max(8)
}

/// A text of whole lines, its paragraphs broken anew where the terminal has
/// less than [`WIDTH`] columns. Indented lines are code, and stay.
#[must_use]
pub fn reflow(text: &str, width: usize) -> String {
    let is_code = |line: &str| line.starts_with("    ") || line.is_empty();
    let mut lines: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if is_open && !is_code(line) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
        is_open = !is_code(line);
    }
    let broken = lines.iter().flat_map(|line| match is_code(line) {
        true => vec![line.clone()],
        false => wrap(line, width),
    });
    broken.collect::<Vec<_>>().join("\n")
}

/// What is wrong with a JSON text, and where, but not what stands there: a file
/// may hold what is not to be shown.
#[must_use]
pub fn malformed(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "this is no JSON",
        serde_json::error::Category::Eof => "it ends too early",
        _ => "something else belongs there",
    };
    format!("line {}, column {}: {what}", error.line(), error.column())
}

/// The version of what `--json` prints: book/src/beyond/json.md.
pub const VERSION: u32 = 1;

/// A path as a learner would type it here.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.display().to_string()
}

/// A number of bytes for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes.div_ceil(1024) {
        kib @ ..10_240 => format!("{kib} KiB"),
        kib => format!("{} MiB", kib.div_ceil(1024)),
    }
}

/// A process names itself as it likes: no control characters on a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    let safe = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(safe).collect()
}

/// Breaks a text at its spaces. A word that is longer than a line is cut:
/// paths of control groups are.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                line.extend(std::iter::repeat_n(' ', gap));
                line.extend(&word);
                break;
            }
            if used == 0 {
                line.extend(word.drain(..width));
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_anew_and_code_stays() {
        let text =
            "one two three\nfour\n\n    let code = stays_as_it_is();\nfive";
        let narrow =
            "one two\nthree four\n\n    let code = stays_as_it_is();\nfive";
        assert_eq!(reflow(text, 10), narrow);
    }

    #[test]
    fn a_fault_in_json_is_told_without_what_stands_there() {
        let wrong = |text: &str| {
            let read = serde_json::from_str::<Vec<u8>>(text);
            malformed(&read.expect_err("it is wrong"))
        };
        for (text, told) in [
            ("[\"secret\"]", "something else"),
            ("secret", "no JSON"),
            ("[1,", "too early"),
        ] {
            let words = wrong(text);
            assert!(words.contains(told), "{words}");
            assert!(!words.contains("secret"), "{words}");
        }
    }
}
