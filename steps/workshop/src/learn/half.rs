//! The half of an exercise that is given in a short lesson: the untouched
//! exercise, in which every function but the essential ones has the body that
//! the solution gives it. It is put together when it is asked for: there is no
//! third copy of the code.

use crate::ladder::{Rung, unwritten};
use crate::learn::solution::is_anchor;

/// The text, or `None` where all that is to be written is essential.
#[must_use]
pub fn half(rung: &Rung) -> Option<String> {
    let functions = rung.functions().into_iter();
    let mut given = functions.filter(|name| !rung.essential.contains(name));
    let first = given.next()?;
    let text = fill(rung.untouched, rung.solution, first);
    Some(given.fold(text, |text, name| fill(&text, rung.solution, name)))
}

/// An exercise that nobody has written in: as it came, or half of it given.
#[must_use]
pub fn is_as_it_came(rung: &Rung, own: &str) -> bool {
    own == rung.untouched || half(rung).is_some_and(|half| own == half)
}

/// Puts the solution's function into the exercise.
fn fill(exercise: &str, solution: &str, name: &str) -> String {
    let (Some(own), Some(given)) =
        (function(exercise, name), function(solution, name))
    else {
        return exercise.to_owned();
    };
    let lines = given.split_inclusive('\n');
    let given: String = lines.filter(|line| !is_anchor(line)).collect();
    exercise.replacen(own, &given, 1)
}

/// A function of a formatted file, from `fn` to the brace in the first column.
#[must_use]
pub fn function<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let starts = ["\nfn ", "\npub fn "].map(|word| format!("{word}{name}("));
    let start = starts.iter().find_map(|start| text.find(start))? + 1;
    let length = text[start..].find("\n}\n")? + "\n}\n".len();
    Some(&text[start..start + length])
}

/// How many lines of code the solution has in this function's body, beside
/// those that are given.
#[must_use]
pub fn size(rung: &Rung, name: &str) -> usize {
    let count = |text: &str| {
        let text = function(text, name).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| {
            !line.is_empty() && !line.starts_with("//") && *line != "}"
        });
        lines.filter(|line| unwritten(line).is_empty()).count()
    };
    count(rung.solution).saturating_sub(count(rung.untouched)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::LADDER;

    #[test]
    fn the_essential_functions_are_left_and_the_others_are_given() {
        for rung in LADDER {
            let (name, functions) = (rung.name(), rung.functions());
            let essential = rung.essential;
            assert!(!essential.is_empty(), "{name}");
            let known = essential.iter().all(|name| functions.contains(name));
            assert!(known, "{name}: {essential:?} of {functions:?}");
            let Some(text) = half(rung) else {
                assert_eq!(essential.len(), functions.len(), "{name}");
                continue;
            };
            assert_eq!(unwritten(&text), essential, "{name}");
            assert!(!text.contains("ANCHOR"), "{name}");
            assert!(is_as_it_came(rung, &text), "{name}");
            // All that is not a given function is as it came.
            let back = functions.iter().filter(|f| !essential.contains(f));
            let back = back.fold(text, |text, function| {
                fill(&text, rung.untouched, function)
            });
            assert_eq!(back, rung.untouched, "{name}");
        }
    }

    #[test]
    fn who_writes_the_rest_has_the_solution() {
        for rung in LADDER {
            let text = half(rung).unwrap_or(rung.untouched.into());
            let whole = rung.essential.iter().fold(text, |text, function| {
                fill(&text, rung.solution, function)
            });
            assert!(unwritten(&whole).is_empty(), "{}", rung.name());
            let code = |text: &str, name| {
                let text = function(text, name).expect("it is there");
                let lines = text.lines().filter(|line| !is_anchor(line));
                lines.map(str::to_owned).collect::<Vec<_>>()
            };
            for name in rung.functions() {
                let (own, given) =
                    (code(&whole, name), code(rung.solution, name));
                assert_eq!(own, given, "{}: {name}", rung.name());
            }
        }
    }

    #[test]
    fn a_name_that_begins_another_is_not_taken_for_it() {
        let text = "\nfn bring_up_loopback() {\n    1\n}\n\npub fn bring_up(\n\
                    ) {\n    2\n}\n";
        let found = function(text, "bring_up").expect("it is there");
        assert!(found.contains("    2\n"), "{found}");
        assert_eq!(function(text, "bring"), None);
    }
}
