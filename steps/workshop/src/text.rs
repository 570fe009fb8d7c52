//! Text for people: what fits in a line, what is safe on a terminal, and how
//! paths and sizes are written.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
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
/// none, [`WIDTH`], or what `check --watch` says, who passes all on.
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
        _ => told().map_or(WIDTH, |told| told.clamp(NARROW, WIDTH)),
    }
}

fn told() -> Option<usize> {
    std::env::var("WORKSHOP_COLUMNS").ok()?.parse().ok()
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

/// How much of a stranger's name an error shows, in characters.
const QUOTED: usize = 120;

/// Says something on stderr. A closed or full stderr (`EBADF`, `ENOSPC`) is no
/// reason to fail, and `eprintln!` would panic there.
pub fn tell(text: impl Display) {
    let _ = writeln!(io::stderr(), "workshop: {}", lines(&text.to_string()));
}

/// A path as a learner would type it here.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    printable(path)
}

/// A number of bytes for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes.div_ceil(1024) {
        kib @ ..10_240 => format!("{kib} KiB"),
        kib => format!("{} MiB", kib.div_ceil(1024)),
    }
}

/// A name that a stranger has chosen, safe on a terminal and on one line:
/// whatever is not a visible character is escaped. That goes for control
/// characters, for those that turn the writing round or have no width, for
/// line and paragraph separators (U+2028, U+2029) and for bytes that are no
/// UTF-8.
#[must_use]
pub fn printable(text: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let mut safe = String::new();
    for chunk in text.as_ref().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match is_invisible(c) {
                true => safe.extend(c.escape_default()),
                false => safe.push(c),
            }
        }
        for byte in chunk.invalid() {
            safe += &format!("\\x{byte:02x}");
        }
    }
    safe
}

/// A stranger's name in quotes, cut where it is very long.
#[must_use]
pub fn quoted(text: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let bytes = text.as_ref().as_bytes();
    let start = &bytes[..bytes.len().min(4 * QUOTED)];
    let safe = printable(OsStr::from_bytes(start));
    match safe.char_indices().nth(QUOTED) {
        Some((end, _)) => {
            format!("\"{}…\" ({} bytes)", &safe[..end], bytes.len())
        }
        None => format!("\"{safe}\""),
    }
}

/// Text of several lines that may have a stranger's words in it.
#[must_use]
pub fn lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Control characters (Unicode's Cc, so C1 too), the separators of lines and
/// paragraphs, and the format characters (Cf) that change what is beside them:
/// Unicode Standard, 23.2 "Layout Controls" and 23.3 "Deprecated Format
/// Characters"; UTS 55 "Source Code Handling" on what they are abused for.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
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

    #[test]
    fn what_nobody_sees_is_escaped() {
        for (text, shown) in [
            ("plain, ünï\u{301} 日本 \"it\" \\", None),
            ("\u{1b}[31m", Some("\\u{1b}[31m")),
            ("a\nb\tc\r\u{7f}", Some("a\\nb\\tc\\r\\u{7f}")),
            ("\u{9b}2J", Some("\\u{9b}2J")),
            ("\u{202e}txt.exe\u{2069}", Some("\\u{202e}txt.exe\\u{2069}")),
            ("a\u{200b}b\u{feff}", Some("a\\u{200b}b\\u{feff}")),
            ("\u{2028}\u{2029}", Some("\\u{2028}\\u{2029}")),
        ] {
            assert_eq!(printable(text), shown.unwrap_or(text));
        }
        let bytes = OsStr::from_bytes(b"a\xffb\xe2\x80");
        assert_eq!(printable(bytes), "a\\xffb\\xe2\\x80");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(quoted("short"), "\"short\"");
        let long = quoted(&"\u{1b}".repeat(100_000));
        assert!(long.len() < 200, "{long}");
        assert!(long.ends_with("…\" (100000 bytes)"), "{long}");
    }
}
