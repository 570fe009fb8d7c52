//! A page, typed anew, beside the page as it is.

use std::ops::Range;

use anyhow::{Context, Result, anyhow};
use similar::TextDiff;

use crate::checkout::Checkout;
use crate::page::{Place, Transcript, transcripts};
use crate::session::Session;
use crate::varies::without_what_varies;

/// The lines of one transcript as the machine would have them.
pub type Recorded = (Range<usize>, Vec<String>);

/// Types all transcripts of a page that belong to `place` and begin in these
/// lines, in one session.
/// What was recorded is returned up to the first that failed.
///
/// # Errors
/// With the line of the transcript, when it cannot be typed to its end or
/// leaves something running.
pub fn record(
    text: &str,
    place: Place,
    at: &Checkout,
    lines: &Range<usize>,
) -> (Vec<Recorded>, Result<()>) {
    let mut recorded = Vec::new();
    let result = type_all(text, place, at, lines, &mut recorded);
    (recorded, result)
}

fn type_all(
    text: &str,
    place: Place,
    at: &Checkout,
    within: &Range<usize>,
    recorded: &mut Vec<Recorded>,
) -> Result<()> {
    let all = transcripts(text)
        .map_err(|line| anyhow!("line {line}: the fence is not closed"))?;
    let lines: Vec<&str> = text.lines().collect();
    at.tidy()?;
    let shell = || at.shell();
    let mut session = Session::new(&shell);
    let kernel = at.kernel()?;
    let here = |one: &Transcript| {
        one.place == place
            && one.kernels.contains(&kernel)
            && within.contains(&one.lines.start)
    };
    for Transcript { lines: range, .. } in all.into_iter().filter(here) {
        let new = session
            .replay(&lines[range.clone()])
            .with_context(|| format!("transcript at line {}", range.start))?;
        recorded.push((range, new));
    }
    session.finish()
}

/// How the page differs from what was recorded, as a diff; `None` when only
/// in what varies.
pub fn difference(text: &str, recorded: &[Recorded]) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = String::new();
    for (range, new) in recorded {
        // Whether a shell that ends leaves an empty line depends on what it
        // was doing.
        let text = |lines: &mut dyn Iterator<Item = &str>| -> String {
            let lines = lines.map(without_what_varies);
            let lines = lines.filter(|line| !line.is_empty());
            lines.map(|line| line + "\n").collect()
        };
        let page = text(&mut lines[range.clone()].iter().copied());
        let machine = text(&mut new.iter().map(String::as_str));
        if page != machine {
            let diff = TextDiff::from_lines(&page, &machine);
            let place = format!("page, line {}", range.start + 1);
            let mut diff = diff.unified_diff();
            found += &diff.header(&place, "machine").to_string();
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "```console\n$ echo $$; echo 7\n2345\n7\n```\n";

    fn with(answer: &str) -> Option<String> {
        let new = ["$ echo $$; echo 7", answer, "7"].map(str::to_owned);
        difference(PAGE, &[(1..4, new.to_vec())])
    }

    #[test]
    fn only_what_varies_may_differ() {
        assert_eq!(with("3456"), None);
        let found = with("8").expect("a difference");
        assert!(found.contains("+8"), "{found}");
        assert!(found.contains("-NUMBER"), "{found}");
    }

    #[test]
    fn empty_lines_do_not_count_and_missing_ones_do() {
        let answered = |lines: &[&str]| {
            let lines = lines.iter().map(|&line| line.to_owned());
            difference(PAGE, &[(1..4, lines.collect())])
        };
        let typed = "$ echo $$; echo 7";
        assert_eq!(answered(&[typed, "", "3456", "7", ""]), None);
        assert!(answered(&[typed, "3456"]).is_some());
    }

    #[test]
    fn a_page_is_typed_where_it_belongs() {
        let at = Checkout::host();
        let typed = |place| {
            let (typed, result) = record(PAGE, place, &at, &(0..99));
            result.expect("recorded");
            typed
        };
        let on_host = typed(Place::Host);
        let typed = typed(Place::Machine);
        assert_eq!(typed.len(), 1);
        assert_eq!(typed[0].1[2], "7");
        assert!(on_host.is_empty());
        let newer = PAGE.replace("console", "console,999.0");
        let (typed, result) = record(&newer, Place::Machine, &at, &(0..99));
        result.expect("nothing to be typed");
        assert!(typed.is_empty());
    }
}
