//! The picture of two terminals, made of a transcript.

use std::fmt::Write;

use anyhow::{Context, Result};
use regex_lite::Regex;

use crate::page::{Place, transcripts};
use crate::poster::colours;

/// A line of a terminal.
struct Line {
    is_second: bool,
    prompt: String,
    words: String,
}

/// What the transcript shows, without empty lines; of a long answer only the
/// first line, and an ellipsis. That the shell is left is not shown.
fn lines(transcript: &[&str]) -> Vec<Line> {
    let form = Regex::new(r"^(2?\$|step\d\d #) (.*)$");
    let form = form.expect("a regular expression");
    let mut shown: Vec<Line> = Vec::new();
    let mut answer = 0;
    for text in transcript.iter().filter(|text| !text.is_empty()) {
        let (prompt, words) = match form.captures(text) {
            Some(typed) => (format!("{} ", &typed[1]), typed[2].to_owned()),
            None => (String::new(), (*text).to_owned()),
        };
        answer = if prompt.is_empty() { answer + 1 } else { 0 };
        if words == "exit" {
            break;
        }
        let is_second = match prompt.is_empty() {
            true => shown.last().is_some_and(|line| line.is_second),
            false => prompt.starts_with("2$"),
        };
        shown.push(Line { is_second, prompt, words });
        // The fifth says that it is long.
        if answer == 5 {
            shown.truncate(shown.len() - 4);
            let words = "  …".to_owned();
            shown.push(Line { is_second, prompt: String::new(), words });
        } else if answer > 5 {
            shown.pop();
        }
    }
    shown
}

/// The lines that a picture of terminals shows, as they were typed and
/// answered.
pub fn said(picture: &str) -> Vec<String> {
    let form = Regex::new("<text class=\"(\\w+)\"[^>]*>([^<]*)</text>");
    let form = form.expect("a regular expression");
    let rows = picture.lines().filter(|line| line.starts_with("<g "));
    let words = |row: &str| {
        let texts = form.captures_iter(row);
        let texts = texts.filter(|text| &text[1] != "same");
        let texts = texts.map(|text| text[2].to_owned());
        let row = texts.collect::<Vec<_>>().join(" ");
        row.replace("&lt;", "<").replace("&amp;", "&")
    };
    rows.map(words).collect()
}

const ROW: usize = 19;
const MARGIN: usize = 14;
/// One typed line after the other, and less than five seconds in all: what
/// moves for longer needs a button that stops it.
const SECONDS: f32 = 4.8;

/// The picture of a page's first transcript.
///
/// # Errors
/// When there is none, or no ledger in it that has a number.
pub fn terminal(page: &str, style: &str, motion: &str) -> Result<String> {
    let all = transcripts(page).ok().context("read the transcripts")?;
    let first = all.iter().find(|one| one.place == Place::Machine);
    let range = first.context("find a transcript")?.lines.clone();
    let page: Vec<&str> = page.lines().collect();
    let lines = lines(&page[range]);
    // The ledger's first line: "step03: process 2416 of …".
    let number = lines.iter().find_map(|line| {
        line.words.split_once(": process ")?.1.split(' ').next()
    });
    let number = number.context("find the number of the process")?;
    let width = lines.iter().map(|it| it.prompt.len() + it.words.len());
    let width = width.max().unwrap_or_default() * 8 + 2 * MARGIN;
    let is_long = |line: &&Line| !line.prompt.is_empty();
    let pause = SECONDS / (lines.iter().filter(is_long).count() + 1) as f32;
    let (mut body, mut bottom) = (String::new(), 2);
    for (is_second, title) in [
        (false, "a terminal"),
        (true, "a second terminal, on the same machine"),
    ] {
        let top = bottom;
        let rows = lines.iter().filter(|it| it.is_second == is_second);
        let height = (rows.count() + 2) * ROW - 4;
        writeln!(
            body,
            "<rect class=\"window\" x=\"2\" y=\"{top}\" width=\"{}\" \
             height=\"{height}\" rx=\"6\"/>\n\
             <text class=\"quiet\" x=\"{MARGIN}\" y=\"{}\">{title}</text>",
            width - 4,
            top + 19
        )?;
        bottom += height + 10;
        let (mut y, mut time) = (top + 24, 0.0);
        for line in &lines {
            time += if line.prompt.is_empty() { 0.0 } else { pause };
            if line.is_second != is_second {
                continue;
            }
            y += ROW;
            let wanted = if is_second { number } else { "1" };
            let is_it = line.prompt.is_empty()
                && line.words.split_whitespace().next() == Some(wanted);
            body += &row(line, y, width, is_it, time);
        }
    }
    let (title, desc) = (
        "One process, seen from two sides",
        format!(
            "In one terminal a container is started. Inside, hostname says \
             box, and ps shows its shell as process 1. In a second terminal \
             on the same machine, hostname says vm, and ps shows the same \
             shell as process {number}."
        ),
    );
    let colours = colours(style)?;
    let height = bottom - 8;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} \
         {height}\" role=\"img\" aria-labelledby=\"terminal-title \
         terminal-desc\">\n<title id=\"terminal-title\">{title}</title>\n\
         <desc id=\"terminal-desc\">{desc}</desc>\n<style>\n{colours}{RULES}{motion}\
         </style>\n{body}</svg>\n"
    ))
}

const RULES: &str = "\
text { font: 13px ui-monospace, Consolas, Menlo, monospace; fill: var(--ink); white-space: pre; }
.window { fill: var(--paper); stroke: var(--line); }
.typed { fill: var(--typed); font-weight: bold; }
.quiet { fill: var(--quiet); }
.inside, .same { fill: var(--blind); }
.mark { fill: var(--blind-paper); }
";

/// The lines come one after the other, unless somebody wants no motion.
pub const MOTION: &str = "\
@media (prefers-reduced-motion: no-preference) {
  .row { animation: appear 0.2s steps(1) backwards; }
  .row .typed { animation: type 0.5s steps(20) backwards; animation-delay: inherit; }
}
@keyframes appear { from { opacity: 0; } }
@keyframes type { from { clip-path: inset(-4px 100% -4px 0); } }
";

/// A line, at its time: what is typed first, and a moment later its answer.
fn row(line: &Line, y: usize, width: usize, is_it: bool, time: f32) -> String {
    let time = if line.prompt.is_empty() { time + 0.55 } else { time };
    let mut row =
        format!("<g class=\"row\" style=\"animation-delay: {time:.2}s\">");
    if is_it {
        let (x, y, width) = (MARGIN - 6, y - 14, width - 2 * MARGIN + 12);
        row += &format!(
            "<rect class=\"mark\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{ROW}\" rx=\"3\"/>"
        );
    }
    let text = |class: &str, x: usize, text: &str| {
        format!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" \
             xml:space=\"preserve\">{}</text>",
            // How wide a tab is, is up to the terminal.
            text.replace('\t', "  ")
                .replace('&', "&amp;")
                .replace('<', "&lt;")
        )
    };
    let inside = line.prompt.starts_with("step");
    let (place, kind) = (
        if inside { "inside" } else { "quiet" },
        if line.prompt.is_empty() { "answer" } else { "typed" },
    );
    if !line.prompt.is_empty() {
        row += &text(place, MARGIN, line.prompt.trim_end());
    }
    row += &text(kind, MARGIN + line.prompt.len() * 8, &line.words);
    if is_it {
        row += &text("same", width - 162, "← the same process");
    }
    row + "</g>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = ":root { --ink: #000; }\nhtml.ayu { --ink: #fff; }\n";
    const PAGE: &str = "```console\n$ go\nstep03: process 2416 of 6.1\na\nb\n\
        c\nd\ne\n\nstep03 # ps\nPID\n    1 root <sh>\n2$ ps -p 2416\n PID\n \
        2416 root sh\nstep03 # exit\n```\n";

    #[test]
    fn the_terminals_show_one_process_from_two_sides() {
        let new = terminal(PAGE, STYLE, MOTION).expect("a picture");
        assert_eq!(new.matches("← the same process").count(), 2, "{new}");
        assert!(new.contains(">    1 root &lt;sh></text>"), "{new}");
        assert!(!new.contains("exit") && !new.contains(">e<"), "{new}");
        assert_eq!(new.matches("  …").count(), 1, "{new}");
        let none = PAGE.replace("process 2416", "2416");
        assert!(
            terminal(&none, STYLE, MOTION).is_err(),
            "no number, and no word"
        );
    }
}
