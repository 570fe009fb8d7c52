//! The pictures that greet a reader, in the repository's README and on the
//! book's first page. Each stands alone: it has its colours in it, light ones
//! and dark ones, and asks for no script and no font.
//!
//! One is the drawing of the building with the book's own colours. The other
//! is two terminals, made of the first transcript of the book's first page,
//! which is recorded and replayed as all are.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use crate::book::{pages_folder, repository};
use crate::terminals::{MOTION, terminal};

/// The pictures: their names below `generated`, and what is in them. There is
/// one of the terminals that does not move: not every browser lets a picture
/// know that its reader wants no motion, and then the page has to choose.
///
/// # Errors
/// When what they are made of is not there.
pub fn all() -> Result<[(&'static str, String); 3]> {
    let read = |name: &str| {
        fs::read_to_string(repository().join("book").join(name))
            .with_context(|| format!("read book/{name}"))
    };
    let style = read("theme/workshop.css")?;
    let building = read("src/pictures/building.svg")?;
    let page = read("src/README.md")?;
    Ok([
        ("building.svg", alone(&building, &style)?),
        ("terminal.svg", terminal(&page, &style, MOTION)?),
        ("terminal-still.svg", terminal(&page, &style, "")?),
    ])
}

/// Where they are kept.
pub fn path(name: &str) -> std::path::PathBuf {
    pages_folder().join("generated").join(name)
}

/// The book's colours, as a style sheet for one picture.
pub(crate) fn colours(style: &str) -> Result<String> {
    let block = |start: &str| -> Result<String> {
        let (_, rest) = style.split_once(start).context("find the colours")?;
        let (block, _) = rest.split_once('}').context("find their end")?;
        Ok(block.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (light, dark) = (block(":root {")?, block("html.ayu {")?);
    Ok(format!(
        "svg {{ {light} }}\n@media (prefers-color-scheme: dark) \
         {{ svg {{ {dark} }} }}\n"
    ))
}

/// A picture of the book with the style that a page gives it.
fn alone(picture: &str, style: &str) -> Result<String> {
    let mut rules = colours(style)?;
    rules += "svg { font: 13px sans-serif; }\n";
    // Those of one line; others are about the figure around it.
    let its = style.lines().filter_map(|it| it.strip_prefix(".picture "));
    for rule in its.filter(|it| it.ends_with('}')) {
        writeln!(rules, "{rule}")?;
    }
    let namespace = "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
    let picture = picture.replacen("<svg ", namespace, 1);
    let (head, rest) = picture.split_once('\n').context("a first line")?;
    Ok(format!("{head}\n<style>\n{rules}</style>\n{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = ":root { --ink: #000; }\nhtml.ayu { --ink: #fff; }\n\
        .picture .a { fill: red; }\n.picture {\n  margin: 0;\n}\n";

    #[test]
    fn a_picture_has_both_sets_of_colours_in_it() {
        let old = "<svg viewBox=\"0 0 1 1\">\n</svg>\n";
        let new = alone(old, STYLE).expect("a picture");
        assert!(new.starts_with("<svg xmlns="), "{new}");
        for rule in ["svg { --ink: #000; }", "svg { --ink: #fff; }", ".a {"] {
            assert!(new.contains(rule), "{rule} is missing: {new}");
        }
        assert!(!new.contains("margin"), "{new}");
        assert!(alone(old, "").is_err(), "no colours, and no word of it");
    }
}
