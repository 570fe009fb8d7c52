//! No page sends a signal to somebody else's process.
//!
//! A reader's machine has other processes with the same name, so a page says
//! which one it means by what its own shell has started: `$!`, `%1`, the
//! children of these, a number that the ledger or the shell has shown. The
//! name of a program never says it.

use std::collections::BTreeSet;

use regex_lite::Regex;

/// Commands that find a process by its name, or end all that they find.
const BY_NAME: &str = r"\b(pkill|killall|skill|pidof|fuser +-k\w*)\b";
/// `pgrep` says whose children are meant, or it goes by the name.
const PGREP: &str = r"\bpgrep\b([^;|)]*)";
const PARENT: &str = r"-[a-zA-Z]*P *(\$\w+|\$!|\$\$|\d+)";
const PARENT_OF: &str = r"^\$\(ps -o ppid= (?:-p )?(\S+)\)";
/// All containers of an engine, whoever has started them.
const ALL: &str =
    r"\b(kill|stop|rm)\b[^;|]*\$\((docker|podman|nerdctl|step11) ps";
/// `kill` where a command stands, and what it is given.
const KILL: &str = r"(?:^|[;&|({]|\b(?:sudo|exec|then|do|else|timeout \S+) )\s*kill((?: +(?:\$\([^)]*\)|[^\s;&|)}]+))+)";
const OPERAND: &str = r"\$\([^)]*\)|\S+";
const ASSIGNED: &str = r"\b([a-zA-Z_]\w*)=(\$\([^)]*\)|\S+)";
/// A file in which a program writes the number of what it has just started.
const PID_FILE: &str = r"--pid-?file[ =](\S+)";
/// The one of Docker's daemon, which nobody else writes.
const OF_DAEMON: &str = "$(cat /var/run/docker.pid)";
/// Numbers that a shell or a ledger gives to what was just started.
const SHOWN: &str = r"^\[\d+\]\+? +(\d+)$|\bprocess (\d+)\b";
/// The prompt of a container that has processes of its own: no number there
/// names one outside.
const INSIDE: &str = r"^(step(0[2-9]|1\d)\b.*|/[^ ]*) [#$] ";
const PROMPT: &str = r"^(\d?\$|>|#|bash-[\d.]+[#$]|step\d\d .*[#$]) ";

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

/// What is wrong with a page, with the number of the line, from 1.
pub fn problems(text: &str) -> Vec<String> {
    let mut page = Page::default();
    let mut block: Option<String> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            block = match block {
                None => Some(info.to_owned()),
                Some(_) => None,
            };
            continue;
        }
        let found = match block.as_deref() {
            Some(info) if info.starts_with("console") => page.console(line),
            Some("sh") => page.command(line, false),
            Some(_) => None,
            None => in_prose(line),
        };
        page.problems.extend(found.map(|why| format!("line {number}: {why}")));
    }
    page.problems
}

/// In `code` that is part of a sentence.
fn in_prose(line: &str) -> Option<String> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.into_iter().find_map(by_name)
}

fn by_name(command: &str) -> Option<String> {
    let named = regex(BY_NAME).find(command).map(|found| found.as_str());
    let all = || regex(ALL).find(command).map(|found| found.as_str());
    let found = named.or_else(all)?;
    Some(format!("{found:?} also finds what others have started"))
}

#[derive(Default)]
struct Page {
    /// Variables and numbers of what the page has started itself.
    own: BTreeSet<String>,
    problems: Vec<String>,
}

impl Page {
    fn console(&mut self, line: &str) -> Option<String> {
        if let Some(prompt) = regex(PROMPT).find(line) {
            let is_inside = regex(INSIDE).is_match(line);
            return self.command(&line[prompt.end()..], is_inside);
        }
        for found in regex(SHOWN).captures_iter(line) {
            let number = found.get(1).or_else(|| found.get(2));
            self.own.extend(number.map(|number| number.as_str().to_owned()));
        }
        None
    }

    fn command(&mut self, command: &str, is_inside: bool) -> Option<String> {
        // What a shell is given to run is a command, too.
        let command = command.replace('"', "").replace('\'', ";");
        if let Some(why) = by_name(&command) {
            return Some(why);
        }
        for found in regex(PGREP).captures_iter(&command) {
            if !is_inside && !self.is_child(&found[1]) {
                return Some(format!("{:?} goes by the name", &found[0]));
            }
        }
        for found in regex(PID_FILE).captures_iter(&command) {
            self.own.insert(format!("$(cat {})", &found[1]));
        }
        for found in regex(ASSIGNED).captures_iter(&command) {
            let name = format!("${}", &found[1]);
            match self.is_own(&found[2]) {
                true => self.own.insert(name),
                false => self.own.remove(&name),
            };
        }
        let kills: Vec<String> = regex(KILL)
            .captures_iter(&command)
            .map(|found| found[1].to_owned())
            .collect();
        kills.iter().filter(|_| !is_inside).find_map(|to| self.stranger(to))
    }

    /// The first operand that may be a stranger's process.
    fn stranger(&self, operands: &str) -> Option<String> {
        let operand = regex(OPERAND);
        let mut words = operand.find_iter(operands).map(|word| word.as_str());
        let mut to = Vec::new();
        let mut names_signal = false;
        while let Some(word) = words.next() {
            match word {
                // Only asks whether it is there, or which signals there are.
                "-0" | "-l" | "-L" => return None,
                "-s" | "-n" => {
                    names_signal = true;
                    words.next();
                }
                "--" => names_signal = true,
                // The first is a signal, a second would be a group.
                word if is_signal(word) && !names_signal => {
                    names_signal = true;
                }
                redirection if redirection.contains('>') => {}
                _ => to.push(word),
            }
        }
        let stranger = to.into_iter().find(|word| !self.is_own(word))?;
        Some(format!("kill {stranger}: who has started that process?"))
    }

    fn is_child(&self, options: &str) -> bool {
        let parent = regex(PARENT).captures(options);
        parent.is_some_and(|parent| self.is_own(&parent[1]))
    }

    fn is_own(&self, word: &str) -> bool {
        let word = word.trim_start_matches('-');
        let pgrep = word.strip_prefix("$(pgrep ");
        // The parent of one's own is its launcher.
        let parent = regex(PARENT_OF).captures(word);
        word.starts_with('%')
            || matches!(word, "$!" | "$$" | "$PPID" | OF_DAEMON)
            || self.own.contains(word)
            || pgrep.is_some_and(|options| self.is_child(options))
            || parent.is_some_and(|child| self.is_own(&child[1]))
            || regex(r"^\$\(.*\b(step11|docker|podman)\b.* inspect\b")
                .is_match(word)
    }
}

/// `-9`, `-TERM`.
fn is_signal(word: &str) -> bool {
    regex(r"^-(\d+|[A-Z]+\d*)$").is_match(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(lines: &str) -> Vec<String> {
        problems(&format!("```console\n{lines}\n```\n"))
    }

    #[test]
    fn what_the_page_has_started_may_be_killed() {
        for page in [
            "$ sleep 9 &\n[1] 2345\n$ kill %1; kill -KILL $!; kill 2345",
            "$ sleep 9 & pid=$!\n$ sudo kill -s TERM \"$pid\" 2>/dev/null",
            "bash-5.2# step02 &\nbash-5.2# kill $(pgrep -P $!)",
            "# a=$!\n# until in=$(pgrep -P $a); do :; done; kill -9 $in",
            "step02: process 2345 of this\n2$ pid=2345\n2$ sudo kill $pid",
            "$ step02 sh -c 'kill -SEGV $$; echo survived'",
            "step02 (your files) # kill -9 1; kill -TERM -1",
            "$ kill -0 1; kill -l",
            "$ create --pid-file a/pid web\n$ kill $(cat a/pid)",
            "$ pid=$(step11 inspect -f '{{.State.Pid}}' web); kill $pid",
            "$ step11 kill web; docker stop web",
            "$ sleep 9 & pid=$!\n$ kill $(ps -o ppid= $pid)",
        ] {
            assert_eq!(console(page), [""; 0], "{page}");
        }
    }

    #[test]
    fn a_stranger_may_not() {
        for page in [
            "$ kill $(pgrep -x sleep)",
            "$ sudo kill -TERM $(pgrep -o -x step02); wait",
            "$ until pid=$(pgrep -x sleep); do :; done",
            "$ pid=$(ps -C sleep -o pid=); kill $pid",
            "$ kill $(ps -o ppid= 2345)",
            "$ kill 2345",
            "$ a\n2345 sleep\n$ kill 2345",
            "$ kill -9 -1",
            "$ pid=$!; pid=$(cat pid); kill $pid",
            "$ create --pid-file a/pid web\n$ kill $(cat b/pid)",
            "step01 (your real files) # kill 2345",
            "$ sudo pkill step02",
            "$ killall sleep",
            "$ sh -c 'kill -9 1'",
            "$ kill $(pidof sleep)",
            "$ kill $(pgrep -P $(pgrep -x step02))",
            "$ docker rm -f $(docker ps -q)",
            "$ true && kill -TERM $(lsof -t x)",
        ] {
            assert_eq!(console(page).len(), 1, "{page}");
        }
        let elsewhere = "say `pkill step02`\n\n```sh\nsudo kill 1\n```\n";
        let found = problems(elsewhere);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("line 4: "), "{found:?}");
    }
}
