//! A page of the book, and the transcripts in it.

use std::ops::{Range, RangeInclusive};

/// Where a transcript is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// ```` ```console ````: in the workshop's virtual machine, which is the
    /// same for everyone.
    Machine,
    /// ```` ```console,docker ````: in such a machine that has Docker as well.
    Docker,
    /// ```` ```console,host ````: wherever the book is built.
    Host,
}

/// One fenced block that shows what was typed and what was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Where it belongs.
    pub place: Place,
    /// Only where the kernel is one of these: ```` ```console,6.12 ````, as new
    /// as this, or ```` ```console,-6.1 ````, not newer.
    pub kernels: RangeInclusive<(u32, u32)>,
    /// Its lines in the page, without the fences. The first line is line 0.
    pub lines: Range<usize>,
}

/// The transcripts of a page, in order.
///
/// # Errors
/// With the line, from 1, of a fence that is not closed.
pub fn transcripts(text: &str) -> Result<Vec<Transcript>, usize> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in text.lines().enumerate() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        match open.take() {
            // A longer fence opens nothing in here: the book has none.
            None => open = Some((number, info.trim())),
            Some((start, info)) => {
                let lines = start + 1..number;
                let mut words = info.split(',');
                if words.next() != Some("console") {
                    continue;
                }
                let word = words.next();
                let place = match word {
                    Some("host") => Place::Host,
                    Some("docker") => Place::Docker,
                    _ => Place::Machine,
                };
                let kernels = kernels(word.unwrap_or_default());
                found.push(Transcript { place, kernels, lines });
            }
        }
    }
    open.map_or(Ok(found), |(start, _)| Err(start + 1))
}

fn kernels(word: &str) -> RangeInclusive<(u32, u32)> {
    let (oldest, newest) = ((0, 0), (u32::MAX, 0));
    match word.strip_prefix('-') {
        Some(word) => oldest..=release(word).unwrap_or(newest),
        None => release(word).unwrap_or(oldest)..=newest,
    }
}

/// Major and minor number of a kernel's release, 6.12.43+deb13-amd64.
pub fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(['.', '-', '+']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The lines of the part with this heading, `## See it`; all of the page
/// where there is none.
pub fn part(text: &str, heading: &str) -> Range<usize> {
    let mut lines = text.lines().enumerate();
    let wanted = format!("## {heading}");
    let Some((start, _)) = lines.find(|(_, line)| *line == wanted) else {
        return 0..text.lines().count();
    };
    let next = lines.find(|(_, line)| line.starts_with("## "));
    start..next.map_or(text.lines().count(), |(number, _)| number)
}

/// The prose of a page: every line that is no code block and no comment, with
/// `code` spans blanked out, and its number from 0.
pub fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_block = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block && !line.starts_with("<!--") {
            let spans = line.split('`').enumerate();
            let outside = spans.map(|(n, span)| match n % 2 {
                0 => span.to_owned(),
                _ => " ".repeat(span.len()),
            });
            lines.push((number, outside.collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// The page with other lines in place of those of each of its transcripts.
pub fn with(text: &str, recorded: &[(Range<usize>, Vec<String>)]) -> String {
    let old: Vec<&str> = text.lines().collect();
    let mut new = Vec::new();
    let mut next = 0;
    for (range, lines) in recorded {
        new.extend(old[next..range.start].iter().map(ToString::to_string));
        new.extend(lines.iter().cloned());
        next = range.end;
    }
    new.extend(old[next..].iter().map(ToString::to_string));
    new.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# One\n\n```console\n$ id\nuid=0\n```\n\n\
        ```rust,ignore\nlet a = `(2)`;\n```\nsee `x` clone(2)\n\
        ```console,host\n$ date\n```\n\
        ```console,docker\n$ docker info\n```\n";

    #[test]
    fn transcripts_are_found_and_replaced() {
        let found = transcripts(PAGE).expect("all fences are closed");
        let places: Vec<_> = found.iter().map(|one| one.place).collect();
        assert_eq!(places, [Place::Machine, Place::Host, Place::Docker]);
        assert_eq!(found[0].lines, 3..5);
        assert_eq!(found[0].kernels, (0, 0)..=(u32::MAX, 0));
        let answer = vec!["$ id".to_owned(), "uid=1".to_owned()];
        let new = with(PAGE, &[(3..5, answer)]);
        assert_eq!(new, PAGE.replace("uid=0", "uid=1"));
    }

    #[test]
    fn a_transcript_may_need_a_newer_kernel_or_an_older_one() {
        let page = "```console,6.12\n$ id\n```\n\
            ```console,-6.1\n$ id\n```\n";
        let found = transcripts(page).expect("the fences are closed");
        let both: Vec<_> = found.iter().map(|one| &one.kernels).collect();
        assert!(both[0].contains(&(6, 12)) && both[0].contains(&(7, 0)));
        assert!(!both[0].contains(&(6, 1)));
        assert!(both[1].contains(&(6, 1)) && both[1].contains(&(5, 15)));
        assert!(!both[1].contains(&(6, 2)));
        assert_eq!(found[0].place, Place::Machine);
        assert_eq!(release("6.12.43+deb13-cloud-amd64"), Some((6, 12)));
        assert_eq!(release("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(release("host"), None);
    }

    #[test]
    fn a_part_ends_where_the_next_begins() {
        let page = "# One\n## See it\na\n### b\n## Break it\nc\n";
        assert_eq!(part(page, "See it"), 1..4);
        assert_eq!(part(page, "Break it"), 4..6);
        assert_eq!(part(page, "Your turn"), 0..6);
    }

    #[test]
    fn a_fence_left_open_is_told() {
        assert_eq!(transcripts("a\n```console\n$ id\n"), Err(2));
    }

    #[test]
    fn code_is_no_prose() {
        let prose = prose(PAGE);
        assert!(prose.contains(&(10, "see ` ` clone(2)".into())), "{prose:?}");
        assert!(!prose.iter().any(|(_, line)| line.contains("let a")));
    }
}
