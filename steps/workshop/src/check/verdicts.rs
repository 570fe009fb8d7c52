//! What a try has said about each expectation, read off its own words, and
//! what has turned since the last one.
//!
//! The try is another process, and may be root's: the lines that it prints for
//! the learner are all that comes back from it.

use std::io::{self, Write};

use crate::ladder::Rung;

/// One try.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// Each expectation, in their order: is it met?
    list: Vec<(String, bool)>,
    /// All that was said, with single spaces.
    words: String,
    /// The first that is not met, with what was found.
    failed: String,
}

impl Verdicts {
    /// Of what a try has printed: `  met  ` or `  NOT  `, and what is
    /// expected, in one or more lines.
    #[must_use]
    pub fn of(text: &str) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let mut is_open = false;
        for line in text.lines() {
            let (mark, rest) = line.split_at_checked(7).unwrap_or((line, ""));
            match mark {
                "  met  " | "  NOT  " => {
                    let verdict = (rest.to_owned(), mark == "  met  ");
                    verdicts.list.push(verdict);
                    is_open = true;
                }
                "       " if is_open && !rest.starts_with(' ') => {
                    if let Some((what, _)) = verdicts.list.last_mut() {
                        *what += &format!(" {rest}");
                    }
                }
                _ => is_open = false,
            }
        }
        verdicts.words = spaced(text);
        let failed = text.split_once("\n  NOT  ").map(|(_, rest)| rest);
        let failed = failed.unwrap_or_default();
        let failed = failed.split("\n  met  ").next().unwrap_or_default();
        let failed = failed.split("\n  NOT  ").next().unwrap_or_default();
        verdicts.failed = spaced(failed);
        verdicts
    }

    /// Has it got as far as an expectation?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The function of the rung that the first failure is about: the one that
    /// is not written, or a hint is offered for, or the first that is named.
    #[must_use]
    pub fn function(&self, rung: &Rung) -> Option<&'static str> {
        let functions = rung.functions();
        let number = rung.number;
        let is_at = |text: &str| {
            let named = functions.iter().copied();
            named.filter_map(|name| Some((text.find(name)?, name))).min()
        };
        let among = |before: &str, after: &str| {
            let found = functions.iter().copied();
            let mut found = found.filter(|name| {
                self.words.contains(&format!("{before}{name}{after}"))
            });
            found.next()
        };
        among("", " is yours to write")
            .or_else(|| among(&format!("hint {number} "), " "))
            .or_else(|| is_at(&self.failed).map(|(_, name)| name))
    }

    /// Prints what has turned since `before`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn compare(
        &self,
        before: &Verdicts,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // What is reached for the first time, and met, needs no names.
        let is_new = |what: &&str| before.find(what).is_none();
        let (reached, now_met): (Vec<&str>, Vec<&str>) =
            self.turned(before, true).into_iter().partition(is_new);
        let not_met = self.turned(before, false);
        let unseen = |(what, is_met): &&(String, bool)| {
            *is_met && self.find(what).is_none()
        };
        let unseen = before.list.iter().filter(unseen).count();
        let turned = now_met.len() + not_met.len() + reached.len();
        if turned + unseen == 0 {
            return writeln!(out, "Since the last try nothing has turned.");
        }
        writeln!(out, "Since the last try:")?;
        for (mark, list) in [("now met", now_met), ("now NOT", not_met)] {
            for what in list {
                let mut lines = crate::text::wrap(what, crate::text::fit(68));
                writeln!(out, "  {mark}  {}", lines.remove(0))?;
                for line in lines {
                    writeln!(out, "           {line}")?;
                }
            }
        }
        match reached.len() {
            0 => {}
            1 => writeln!(out, "  reached, and met: one more")?,
            count => writeln!(out, "  reached, and met: {count} more")?,
        }
        match unseen {
            0 => Ok(()),
            1 => writeln!(out, "  not reached: one that was met"),
            count => writeln!(out, "  not reached: {count} that were met"),
        }
    }

    /// Those that are so now, and were not before.
    fn turned(&self, before: &Verdicts, is_met: bool) -> Vec<&str> {
        let list = self.list.iter();
        let turned = list.filter(|(what, now)| {
            *now == is_met && before.find(what) != Some(is_met)
        });
        turned.map(|(what, _)| &**what).collect()
    }

    fn find(&self, what: &str) -> Option<bool> {
        let mut list = self.list.iter();
        list.find(|(name, _)| name == what).map(|(_, is_met)| *is_met)
    }
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ") + " "
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::LADDER;

    const FIRST: &str = "\
step03: your code, exercise.rs
  met  it starts, and executes its command
  NOT  a proc is mounted on its /proc, and this text is so long that it
       goes on
         found     nothing
         expected  proc
         likely    `mount_proc` has mounted none: `ps` would find
                   nothing
  NOT  another
         likely    `pivot` is wrong
Stuck? cargo workshop hint 3
";

    fn said(text: &str, before: &str) -> String {
        let mut out = Vec::new();
        let (now, before) = (Verdicts::of(text), Verdicts::of(before));
        now.compare(&before, &mut out).expect("print it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn only_what_has_turned_is_told() {
        let long = "a proc is mounted on its /proc, and this text is so long \
                    that it goes on";
        let all = Verdicts::of(FIRST);
        assert_eq!(all.list[1], (long.to_owned(), false));
        assert_eq!(all.list.len(), 3);
        assert!(said(FIRST, FIRST).contains("nothing has turned"));
        let turned = FIRST.replace("NOT  a ", "met  a ");
        let text = said(&turned, FIRST);
        assert!(text.contains("  now met  a proc is mounted"), "{text}");
        assert!(!text.contains("another"), "{text}");
        let back = said(FIRST, &turned);
        assert!(back.contains("  now NOT  a proc is mounted"), "{back}");
        let further = said(&format!("{FIRST}  met  more\n"), FIRST);
        assert!(further.contains("and met: one more"), "{further}");
        let nothing = said("It does not compile", FIRST);
        assert!(nothing.contains("not reached: one that was met"));
    }

    #[test]
    fn the_function_is_the_one_that_the_first_failure_names() {
        let of = |text: &str| Verdicts::of(text).function(&LADDER[3]);
        assert_eq!(of(FIRST), Some("mount_proc"));
        let told = FIRST.replace("hint 3", "hint 3 make_private");
        assert_eq!(of(&told), Some("make_private"));
        let unwritten = "step03: bind_onto_itself is yours to\n  write: …";
        assert_eq!(of(unwritten), Some("bind_onto_itself"));
        assert_eq!(of("error[E0425]: cannot find pivot"), None);
        assert_eq!(of(""), None);
    }
}
