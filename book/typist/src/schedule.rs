//! How long a chapter takes in a class, and what fits into a day.
//!
//! The first line of a chapter says so, a comment that no reader sees:
//! `<!-- minutes: predict 5, see 10 -->`. The page of the schedules names in
//! a comment what a day has room for, and what is to be done in it; the table
//! below the comment is added up here.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};

use crate::book::Page;

/// The seven parts of a rung's chapter: their names in the first line, and
/// their headings. The code comes after the reader's turn to write it.
pub const PARTS: [(&str, &str); 7] = [
    ("predict", "Predict"),
    ("see", "See it"),
    ("kernel", "How the kernel does it"),
    ("break", "Break it"),
    ("turn", "Your turn"),
    ("code", "The code"),
    ("visible", "Still visible"),
];

const START: &str = "<!-- schedule ";
const END: &str = "<!-- end -->";

/// The minutes that the first line of a page names, part by part.
///
/// # Errors
/// When there is such a line and it cannot be read.
pub fn minutes(page: &str) -> Result<Option<Vec<(String, u32)>>> {
    let first = page.lines().next().unwrap_or_default();
    let Some(list) = first.strip_prefix("<!-- minutes: ") else {
        return Ok(None);
    };
    let list = list.strip_suffix(" -->").context("no end of the comment")?;
    let part = |item: &str| {
        let (name, minutes) = item.trim().split_once(' ').context("a name")?;
        let minutes = minutes.parse().context("minutes")?;
        anyhow::Ok((name.to_owned(), minutes))
    };
    let parts: Result<Vec<_>> = list.split(',').map(part).collect();
    parts.map(Some).with_context(|| format!("read {first:?}"))
}

/// What a chapter says beside its parts, in this order: what the reader will
/// know, the rules that all follows from, what else to try, and questions.
const MARKS: [&str; 4] = [
    "**After this chapter you can**",
    "**Keep in mind**",
    "**More to do.**",
    "**Quiz.**",
];

/// What is wrong with a rung's chapter: each has the same seven parts, in the
/// same order, the minutes of each, and the same marks.
pub fn problems(page: &Page) -> Vec<String> {
    let mut problems = Vec::new();
    let headings: Vec<&str> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    if headings != PARTS.map(|(_, heading)| heading) {
        problems.push(format!("{}: its parts are {headings:?}", page.name));
    }
    let parts = minutes(&page.text).ok().flatten().unwrap_or_default();
    let names: Vec<&str> = parts.iter().map(|(name, _)| &**name).collect();
    if names != PARTS.map(|(name, _)| name) {
        problems.push(format!("{}: it has minutes of {names:?}", page.name));
    }
    let mut lines = page.text.lines();
    for mark in MARKS {
        if !lines.any(|line| line.starts_with(mark)) {
            problems.push(format!("{}: no {mark} in its place", page.name));
        }
    }
    problems
}

/// The page of the schedules, with every table added up anew.
///
/// # Errors
/// When a comment names a page or a part that is not there, or more than fits.
pub fn with_tables(text: &str, pages: &[Page]) -> Result<String> {
    let mut chapters = BTreeMap::new();
    for page in pages {
        let parts = minutes(&page.text)
            .with_context(|| format!("the minutes of {}", page.name))?;
        chapters.extend(parts.map(|parts| {
            let title = page.text.lines().find(|line| line.starts_with("# "));
            let title = title.unwrap_or_default().trim_start_matches("# ");
            (page.name.as_str(), Chapter { title, parts })
        }));
    }
    let mut new = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        let (plan, after) =
            after.split_once("-->").context("a comment ends")?;
        let (_, after) = after.split_once(END).context("a table ends")?;
        let table = table(plan.trim(), &chapters)
            .with_context(|| format!("the schedule {plan:?}"))?;
        write!(new, "{before}{START}{plan}-->\n\n{table}\n{END}")?;
        rest = after;
    }
    Ok(new + rest)
}

struct Chapter<'a> {
    title: &'a str,
    parts: Vec<(String, u32)>,
}

fn table(
    plan: &str,
    chapters: &BTreeMap<&str, Chapter<'_>>,
) -> Result<String> {
    let (room, entries) = plan.split_once(':').context("MINUTES: chapters")?;
    let room: u32 = room.trim().parse().context("how many minutes fit")?;
    let mut table = String::from(
        "| from | chapter | parts | minutes |\n|--:|---|---|--:|\n",
    );
    let mut now = 0;
    for entry in entries.split(';') {
        let (name, chosen) = match entry.trim().split_once(char::is_whitespace)
        {
            Some((name, chosen)) => {
                (name, chosen.split_whitespace().collect())
            }
            None => (entry.trim(), Vec::new()),
        };
        let (what, parts, minutes) = if name == "pause" {
            let minutes = chosen.first().context("how long a pause?")?;
            ("*pause*".to_owned(), String::new(), minutes.parse()?)
        } else {
            row(name, &chosen, chapters)?
        };
        let (hour, minute) = (now / 60, now % 60);
        writeln!(
            table,
            "| {hour}:{minute:02} | {what} | {parts} | {minutes} |"
        )?;
        now += minutes;
    }
    if now > room {
        bail!("it takes {now} minutes, and there are {room}");
    }
    writeln!(table, "| {}:{:02} | | | **{now}** |", now / 60, now % 60)?;
    Ok(table)
}

fn row(
    name: &str,
    chosen: &[&str],
    chapters: &BTreeMap<&str, Chapter<'_>>,
) -> Result<(String, String, u32)> {
    let page = format!("{name}.md");
    let chapter = chapters
        .get(page.as_str())
        .with_context(|| format!("{page} has no minutes"))?;
    let mut minutes = 0;
    for part in chosen {
        if !chapter.parts.iter().any(|(name, _)| name == part) {
            bail!("{page} has no part {part:?}");
        }
    }
    for (part, its) in &chapter.parts {
        if chosen.is_empty() || chosen.contains(&part.as_str()) {
            minutes += its;
        }
    }
    let link = format!("[{}](../{page})", chapter.title);
    let parts = if chosen.is_empty() { "all" } else { &chosen.join(", ") };
    Ok((link, parts.to_owned(), minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, text: &str) -> Page {
        Page { name: name.into(), text: text.into() }
    }

    fn two() -> [Page; 2] {
        [
            page("a.md", "<!-- minutes: see 10, turn 50 -->\n# A\n"),
            page("b.md", "<!-- minutes: read 5 -->\n# B\n"),
        ]
    }

    #[test]
    fn minutes_are_added_up() {
        let old =
            "x\n<!-- schedule 80: a; pause 5; a see; b -->old<!-- end -->y";
        let new = with_tables(old, &two()).expect("it fits");
        assert!(new.starts_with("x\n<!-- schedule 80: a; pause 5;"), "{new}");
        assert!(new.contains("| 0:00 | [A](../a.md) | all | 60 |"), "{new}");
        assert!(new.contains("| 1:05 | [A](../a.md) | see | 10 |"), "{new}");
        assert!(new.contains("| 1:20 | | | **80** |"), "{new}");
        assert!(new.ends_with("<!-- end -->y"), "{new}");
        assert_eq!(with_tables(&new, &two()).expect("again"), new);
    }

    #[test]
    fn what_does_not_fit_or_is_not_there_is_told() {
        for (plan, word) in [
            ("79: a; a see; b; pause 5", "80 minutes"),
            ("9: c", "c.md"),
            ("90: a eat", "eat"),
        ] {
            let text = format!("<!-- schedule {plan} --><!-- end -->");
            let error = with_tables(&text, &two()).unwrap_err();
            assert!(format!("{error:#}").contains(word), "{error:#}");
        }
    }

    #[test]
    fn a_chapter_without_one_of_its_parts_is_told() {
        let mut text = String::from(
            "<!-- minutes: predict 1, see 1, kernel 1, break 1, turn 1, \
             code 1, visible 1 -->\n",
        );
        text += &MARKS[..2].join("\n");
        for (_, heading) in PARTS {
            text += &format!("\n## {heading}\n");
        }
        text += &MARKS[2..].join("\n");
        assert!(problems(&page("s", &text)).is_empty());
        assert_eq!(
            problems(&page("s", &text.replace("## See", "##"))).len(),
            1
        );
        assert_eq!(problems(&page("s", &text.replace("see 1,", ""))).len(), 1);
        let last = text.replace("**Quiz.**", "");
        assert_eq!(problems(&page("s", &last)).len(), 1);
    }
}
