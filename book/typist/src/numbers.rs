//! Process numbers that are read in one answer and typed in a later command.
//!
//! A reader looks at the number that the ledger shows, and types it in the
//! other terminal. The machine gives another number each time, so the typist
//! does as the reader does: what the page shows in an answer is learnt
//! together with what the machine has said in its place.

use std::collections::BTreeMap;

use regex_lite::{Captures, Regex};

use crate::varies::{is_process, without_what_varies};

/// For each number of the page, the machine's.
#[derive(Default)]
pub struct Numbers(BTreeMap<u32, u32>);

impl Numbers {
    /// Lines that say the same, but for what varies, name the same processes
    /// in the same order.
    pub fn learn(&mut self, page: &[&str], machine: &[String]) {
        let page = page.iter().copied().filter(|line| !line.is_empty());
        let machine = machine.iter().map(String::as_str);
        let machine = machine.filter(|line| !line.is_empty());
        for (old, new) in page.zip(machine) {
            if without_what_varies(old) == without_what_varies(new) {
                self.0.extend(processes(old).zip(processes(new)));
            }
        }
    }

    /// What is typed, with the machine's numbers.
    pub fn typed(&self, input: &str) -> String {
        let machine = |found: &Captures<'_>| {
            let number: Option<u32> = found[0].parse().ok();
            let known = number.and_then(|number| self.0.get(&number));
            known.map_or_else(|| found[0].to_owned(), ToString::to_string)
        };
        word().replace_all(input, machine).into_owned()
    }
}

fn word() -> Regex {
    Regex::new(r"\b\d+\b").expect("a regular expression")
}

fn processes(line: &str) -> impl Iterator<Item = u32> {
    let words = word();
    let numbers = words.find_iter(line).map(|found| found.as_str().parse());
    let numbers: Vec<u32> = numbers.filter_map(Result::ok).collect();
    numbers.into_iter().filter(|&number| is_process(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(page: &[&str], machine: &[&str]) -> Numbers {
        let mut numbers = Numbers::default();
        let machine = machine.iter().map(|&line| line.to_owned());
        numbers.learn(page, &machine.collect::<Vec<_>>());
        numbers
    }

    #[test]
    fn a_number_that_was_read_is_typed() {
        let numbers = learnt(
            &["step02: process 2416 of 6.1.0-56-cloud-amd64", " 2417 2416 sh"],
            &["step02: process 3001 of 6.12.9", "", "3002  3001 sh"],
        );
        assert_eq!(numbers.typed("kill 2416; ps 2417"), "kill 3001; ps 3002");
        assert_eq!(numbers.typed("sleep 2418 24160"), "sleep 2418 24160");
    }

    #[test]
    fn what_means_something_is_no_process() {
        let numbers = learnt(&["8080 137 2416"], &["8080 137 3001"]);
        assert_eq!(numbers.typed("nc 8080; exit 137"), "nc 8080; exit 137");
        assert_eq!(numbers.typed("kill 2416"), "kill 3001");
    }

    #[test]
    fn lines_that_say_something_else_teach_nothing() {
        let numbers = learnt(&["2416 sh", "2417 ps"], &["3001 nc", "3002 ps"]);
        assert_eq!(numbers.typed("kill 2416 2417"), "kill 2416 3002");
    }
}
