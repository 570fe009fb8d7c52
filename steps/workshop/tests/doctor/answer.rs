//! What the doctor says to programs.

use std::process::Output;

use serde_json::Value;
use workshop::ladder::{LADDER, LAST};

/// The doctor's report.
#[derive(Debug)]
pub struct Report(pub Value);

impl Report {
    /// Its exit status must agree with what it says.
    pub fn read(output: &Output) -> Report {
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.is_empty(), "{words}");
        let page: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_well = page["all_rungs_run"] == true;
        assert_eq!(output.status.code(), Some(i32::from(!is_well)));
        Report(page)
    }

    /// The rungs that cannot run, in short: `7`, `0-6`, ``, and `1-last` when
    /// none above can.
    pub fn blocked(&self) -> String {
        let rungs = self.0["rungs"].as_array().unwrap();
        let blocked = rungs.iter().filter(|rung| rung["runs"] == false);
        let names = blocked.map(|rung| rung["rung"].as_str().unwrap());
        let numbers = names.map(|name| name[4..].parse().unwrap());
        let numbers: Vec<u8> = numbers.collect();
        match numbers[..] {
            [] => String::new(),
            [one] => one.to_string(),
            [first, .., last] => {
                let rungs = LADDER.iter().map(|rung| rung.number);
                let between = rungs.filter(|n| (first..=last).contains(n));
                assert_eq!(numbers, between.collect::<Vec<_>>());
                match last {
                    LAST => format!("{first}-last"),
                    last => format!("{first}-{last}"),
                }
            }
        }
    }

    /// State, text and mend of a subject.
    pub fn of(&self, subject: &str) -> (&str, &str, &str) {
        let findings = self.0["findings"].as_array().unwrap();
        let found = findings.iter().find(|found| found["subject"] == subject);
        let found = found.unwrap_or_else(|| panic!("{subject}: {:#}", self.0));
        let word = |name: &str| found[name].as_str().unwrap_or_default();
        (word("state"), word("text"), word("mend"))
    }

    /// The subject is in this state, and its mend contains these words.
    pub fn says(&self, subject: &str, state: &str, mend: &str) -> &str {
        let (is, text, command) = self.of(subject);
        assert_eq!(is, state, "{subject}: {text}");
        assert!(command.contains(mend), "{subject}: {command}");
        text
    }
}
