//! The shape of what programs are told: JSON by its keys, and the page of the
//! book that lists them.

use std::collections::BTreeSet;

/// The paths of the keys in a JSON text of one value on each line, indented by
/// two spaces: `rungs[].runs`. Paths of objects and lists that hold others are
/// left out.
pub fn keys(json: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut path: Vec<String> = Vec::new();
    for line in json.lines() {
        let text = line.trim_start();
        path.truncate((line.len() - text.len()) / 2);
        if text == "{" || text == "[" {
            // The outermost, or one of a list.
            path.push(if path.is_empty() { "" } else { "[]" }.into());
        } else if let Some((key, value)) = key_and_value(text) {
            let whole = join(&path, key);
            // An opened one is known by what is in it.
            if value != "{" && value != "[" {
                found.insert(whole);
            }
            path.push(key.into());
        } else if let ([above @ .., key], false) =
            (&path[..], text.starts_with(['}', ']']))
        {
            // A value in a list.
            found.insert(join(above, key));
        }
    }
    found
}

fn key_and_value(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = text.strip_prefix('"')?.split_once('"')?;
    Some((key, rest.strip_prefix(": ")?))
}

fn join(path: &[String], key: &str) -> String {
    let mut whole = String::new();
    for part in path.iter().map(String::as_str).chain([key]) {
        if !part.starts_with('[') && !whole.is_empty() {
            whole.push('.');
        }
        whole.push_str(part);
    }
    whole
}

/// Compares what was printed with what this section of the page lists.
///
/// # Panics
/// When a key is printed that is not on the page, or the page has one that is
/// not printed and not marked *perhaps*.
pub fn compare(page: &str, section: &str, json: &str) {
    let title = format!("\n## {section}\n");
    let (_, text) = page.split_once(&title).expect("a section of the page");
    let text = text.split("\n## ").next().unwrap_or_default();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<(&str, bool)> = rows.flat_map(documented).collect();
    let printed = keys(json);
    let is_listed =
        |key: &&String| listed.iter().any(|(path, _)| matches(path, key));
    let unknown: Vec<_> = printed.iter().filter(|k| !is_listed(k)).collect();
    assert!(unknown.is_empty(), "not on the page: {unknown:#?}");
    for (path, is_sure) in &listed {
        let is_there = printed.iter().any(|key| matches(path, key));
        assert!(is_there || !is_sure, "{path} is not printed:\n{json}");
    }
}

/// The paths of a row of the table, and whether they are always there.
fn documented(row: &str) -> Vec<(&str, bool)> {
    let is_sure = !row.contains("*perhaps*");
    let cell = row.split('|').nth(1).unwrap_or_default();
    let paths = cell.split('`').skip(1).step_by(2);
    paths.map(|path| (path, is_sure)).collect()
}

/// Below what ends in `.*` all is one, and of an empty list nobody sees what
/// would be in it.
fn matches(path: &str, key: &str) -> bool {
    let (start, is_open) = match path.strip_suffix(".*") {
        Some(start) => (start, true),
        None => (path, path.ends_with("within")),
    };
    let is_below = |rest: &str| {
        rest.is_empty() || is_open && rest.starts_with(['.', '['])
    };
    let is_empty_list = |rest: &str| rest.starts_with("[]");
    key.strip_prefix(start).is_some_and(is_below)
        || path.strip_prefix(key).is_some_and(is_empty_list)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{
  "version": 1,
  "list": [
    {
      "a": "x \"y\": z",
      "deep": {
        "b": null
      }
    }
  ],
  "words": [
    "one"
  ],
  "none": []
}"#;

    #[test]
    fn keys_have_paths() {
        let found = keys(JSON);
        let wanted = ["list[].a", "list[].deep.b", "none", "version", "words"];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), wanted);
    }

    fn page(rows: &str) -> String {
        format!("# Page\n\n## it\n\n{rows}\n\n## other\n\n| `x` | |\n")
    }

    #[test]
    fn a_page_that_lists_them_is_right() {
        let rows = "| `version`, `none`, `words` | |\n| `list[].a` | |\n\
                    | `list[].deep.*` | |\n| `gone` | *perhaps* |";
        compare(&page(rows), "it", JSON);
    }

    #[test]
    #[should_panic(expected = "not on the page")]
    fn a_key_that_is_not_on_the_page_is_told() {
        compare(
            &page("| `version`, `none`, `words`, `list[].a` | |"),
            "it",
            JSON,
        );
    }

    #[test]
    #[should_panic(expected = "gone is not printed")]
    fn a_key_that_is_not_printed_is_told() {
        let rows = "| `version`, `none`, `words`, `list[].a`, `gone` | |\n\
             | `list[].deep.*` | |";
        compare(&page(rows), "it", JSON);
    }
}
