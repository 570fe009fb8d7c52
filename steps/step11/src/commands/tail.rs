//! `logs --tail`: the last lines of a text.

use std::str::FromStr;

/// How many lines to show: `None` for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail(Option<usize>);

/// Reads a number, or `all`.
///
/// # Errors
/// Anything else.
pub fn parse(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail(None)),
        _ => usize::from_str(text)
            .map(|lines| Tail(Some(lines)))
            .map_err(|_| "write a number of lines, or all".into()),
    }
}

impl Tail {
    /// The end of it: so many lines, the last of which may be unfinished.
    pub fn of(self, text: &[u8]) -> &[u8] {
        let Some(lines) = self.0 else { return text };
        // Each line but the last begins behind a newline; the one at the very
        // end begins no line.
        let body = text.strip_suffix(b"\n").unwrap_or(text);
        let ends = body.iter().enumerate().rev();
        let mut ends = ends.filter(|(_, byte)| **byte == b'\n');
        match lines {
            0 => &[],
            _ => match ends.nth(lines - 1) {
                Some((at, _)) => &text[at + 1..],
                None => text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_from_the_end() {
        let of = |number: &str, text: &'static str| {
            let tail = parse(number).expect("a number");
            std::str::from_utf8(tail.of(text.as_bytes())).expect("text")
        };
        let text = "one\ntwo\n\nfour\n";
        assert_eq!(of("1", text), "four\n");
        assert_eq!(of("2", text), "\nfour\n");
        assert_eq!(of("3", text), "two\n\nfour\n");
        assert_eq!(of("2", "one\ntwo\nunfinished"), "two\nunfinished");
        assert_eq!(of("0", text), "");
        for all in ["4", "5", "all"] {
            assert_eq!(of(all, text), text);
        }
        assert_eq!(of("3", ""), "");
        assert!(parse("-1").is_err() && parse("few").is_err());
    }
}
