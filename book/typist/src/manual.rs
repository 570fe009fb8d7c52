//! The manual pages that the book names.
//!
//! A page writes `[clone(2)]` and no address. Where each leads is written at
//! the end of the page, below a comment, by [`with_links`].

use std::collections::BTreeSet;
use std::fmt::Write;

use regex_lite::Regex;

use crate::book::Page;
use crate::page::prose;

const MARK: &str = "<!-- man pages -->";

/// The page with the addresses of all manual pages that it names.
pub fn with_links(text: &str) -> String {
    let body = body(text).trim_end();
    let names: BTreeSet<String> = mentions(body)
        .into_iter()
        .filter(|one| one.is_linked)
        .map(|one| one.name)
        .collect();
    let mut new = format!("{body}\n");
    if !names.is_empty() {
        new += &format!("\n{MARK}\n\n");
    }
    for name in names {
        let (page, section) = name.split_once('(').expect("name(section)");
        let section = section.trim_end_matches(')');
        let folder = &section[..1];
        let _ = writeln!(
            new,
            "[{name}]: https://man7.org/linux/man-pages/man{folder}/{page}.{section}.html"
        );
    }
    new
}

/// What is wrong with the manual pages that a page names.
pub fn problems(page: &Page) -> Vec<String> {
    let mut problems = Vec::new();
    for one in mentions(body(&page.text)) {
        let (_, section) = one.name.split_once('(').expect("name(section)");
        let place = format!("{}:{}: {}", page.name, one.line + 1, one.name);
        if !section.starts_with(|c| ('1'..='8').contains(&c)) {
            problems.push(format!("{place}: sections are 1 to 8"));
        }
        if !one.is_linked {
            problems.push(format!("{place}: without [ ] it is no link"));
        }
    }
    problems
}

fn body(text: &str) -> &str {
    text.split_once(MARK).map_or(text, |(body, _)| body)
}

struct Mention {
    line: usize,
    name: String,
    is_linked: bool,
}

fn mentions(body: &str) -> Vec<Mention> {
    let form = Regex::new(r"(\[?)([A-Za-z][\w.-]*\(\d[a-z]*\))(\]?)");
    let form = form.expect("a regular expression");
    let mut mentions = Vec::new();
    for (line, text) in prose(body) {
        for found in form.captures_iter(&text) {
            mentions.push(Mention {
                line,
                name: found[2].to_owned(),
                is_linked: &found[1] == "[" && &found[3] == "]",
            });
        }
    }
    mentions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_address_once() {
        let text = "See [clone(2)] and [proc(5)], [clone(2)].\n`pipe(2)`\n";
        let new = with_links(text);
        let clone =
            "[clone(2)]: https://man7.org/linux/man-pages/man2/clone.2.html\n";
        assert_eq!(new.matches(clone).count(), 1, "{new}");
        assert!(!new.contains("pipe.2"), "{new}");
        assert_eq!(with_links(&new), new);
        assert_eq!(
            with_links(&new.replace("[proc(5)], ", "")).lines().count(),
            6
        );
    }

    #[test]
    fn what_is_no_link_and_no_section_is_told() {
        let page = |text: &str| Page { name: "p".into(), text: text.into() };
        assert!(problems(&page("[clone(2)] `x(9)`")).is_empty());
        assert_eq!(problems(&page("see clone(2)")).len(), 1);
        assert_eq!(problems(&page("see [clone(9)]")).len(), 1);
    }
}
