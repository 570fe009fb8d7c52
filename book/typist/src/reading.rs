//! The pages beside the chapters, and how long a class reads them.
//!
//! A page that a class would read says in its first line how long that takes,
//! as a chapter does (schedule.rs). All others are for looking things up, or
//! for an evening at home. The page of the schedules has a table of the first
//! and a line with the second, in the order of the book.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::book::Page;
use crate::schedule::minutes;

/// What nobody reads from its first line to its last in a class.
pub const AT_HOME: [&str; 7] = [
    "start/setting-up.md",
    "beyond/challenges.md",
    "beyond/names.md",
    "beyond/promises.md",
    "beyond/json.md",
    "beyond/glossary.md",
    "beyond/reading.md",
];

const START: &str = "<!-- reading -->";
const END: &str = "<!-- end -->";

/// Whether a page stands beside the chapters.
fn is_beside(name: &str) -> bool {
    name.starts_with("start/")
        || name.starts_with("beyond/")
        || name == "building.md"
}

/// What is wrong: a page without minutes that is not for home either, one
/// that is both, or a page for home that is not there.
pub fn problems(pages: &[Page], at_home: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for page in pages.iter().filter(|page| is_beside(&page.name)) {
        let name = &page.name;
        let has_minutes = minutes(&page.text).ok().flatten().is_some();
        match (has_minutes, at_home.contains(&name.as_str())) {
            (false, false) => problems.push(format!(
                "{name}: how long does a class read it? Say so in its first \
                 line, <!-- minutes: read 10 -->, or name it in AT_HOME"
            )),
            (true, true) => {
                problems.push(format!("{name}: it is in AT_HOME as well"));
            }
            _ => {}
        }
    }
    let is_there = |name: &&&str| pages.iter().any(|page| page.name == **name);
    let missing = at_home.iter().filter(|name| !is_there(name));
    problems.extend(missing.map(|name| format!("{name} is not there")));
    problems
}

/// The page of the schedules, with the table of what is read beside the
/// chapters.
///
/// # Errors
/// When the minutes of a page cannot be read, or there is no summary.
pub fn with_reading(text: &str, pages: &[Page]) -> Result<String> {
    let Some((before, rest)) = text.split_once(START) else {
        return Ok(text.to_owned());
    };
    let (_, after) = rest.split_once(END).context("a table ends")?;
    let table = table(pages)?;
    Ok(format!("{before}{START}\n\n{table}\n{END}{after}"))
}

fn table(pages: &[Page]) -> Result<String> {
    let summary = pages.iter().find(|page| page.name == "SUMMARY.md");
    let summary = &summary.context("find SUMMARY.md")?.text;
    let mut table =
        String::from("| page | parts | minutes |\n|---|---|--:|\n");
    let (mut total, mut others) = (0, Vec::new());
    for line in summary.lines() {
        let name = line.rsplit_once("](").map(|(_, name)| name);
        let name = name.and_then(|name| name.strip_suffix(')'));
        let page = pages.iter().find(|page| Some(&*page.name) == name);
        let Some(page) = page.filter(|page| is_beside(&page.name)) else {
            continue;
        };
        let title = page.text.lines().find_map(|it| it.strip_prefix("# "));
        let title = title.unwrap_or(&page.name);
        let link = format!("[{title}](../{})", page.name);
        let parts = minutes(&page.text)
            .with_context(|| format!("the minutes of {}", page.name))?;
        let Some(parts) = parts else {
            others.push(link);
            continue;
        };
        let its: u32 = parts.iter().map(|(_, minutes)| minutes).sum();
        let parts: Vec<String> = parts
            .iter()
            .map(|(name, minutes)| format!("{name} {minutes}"))
            .collect();
        writeln!(table, "| {link} | {} | {its} |", parts.join(", "))?;
        total += its;
    }
    writeln!(table, "| | | **{total}** |")?;
    let list = others.iter().map(|link| format!("- {link}\n"));
    let list: String = list.collect();
    Ok(format!(
        "{table}\nTo look things up in, or for an evening at home:\n\n{list}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Vec<Page> {
        let page = |name: &str, text: &str| Page {
            name: name.into(),
            text: text.into(),
        };
        vec![
            page(
                "SUMMARY.md",
                "- [B](beyond/b.md)\n- [A](start/a.md)\n\
                 - [S](steps/s.md)\n- [C](beyond/c.md)\n",
            ),
            page("start/a.md", "<!-- minutes: read 10 -->\n# A\n"),
            page("beyond/b.md", "<!-- minutes: read 5, try 20 -->\n# B\n"),
            page("beyond/c.md", "# C\n"),
            page("steps/s.md", "<!-- minutes: see 90 -->\n# S\n"),
        ]
    }

    #[test]
    fn what_is_read_is_added_up_in_the_order_of_the_book() {
        let text = "x\n<!-- reading -->old<!-- end -->y";
        let new = with_reading(text, &pages()).expect("a table");
        let wanted = "| [B](../beyond/b.md) | read 5, try 20 | 25 |\n\
            | [A](../start/a.md) | read 10 | 10 |\n| | | **35** |\n";
        assert!(new.contains(wanted), "{new}");
        assert!(new.contains("\n- [C](../beyond/c.md)\n"), "{new}");
        assert!(!new.contains("old") && new.ends_with("<!-- end -->y"));
        assert_eq!(with_reading(&new, &pages()).expect("again"), new);
    }

    #[test]
    fn a_page_of_which_nobody_has_said_how_long_it_takes_is_told() {
        let pages = pages();
        assert_eq!(problems(&pages, &["beyond/c.md"]), [""; 0]);
        for (at_home, word) in [
            (&[][..], "beyond/c.md: how long"),
            (&["beyond/c.md", "start/a.md"][..], "start/a.md: it is in"),
            (&["beyond/c.md", "beyond/d.md"][..], "beyond/d.md is not"),
        ] {
            let found = problems(&pages, at_home);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(word), "{found:?}");
        }
    }
}
