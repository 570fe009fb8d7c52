//! Two terminals, into which a transcript is typed.
//!
//! A person at a terminal knows that a command has ended because the prompt is
//! there again, and so does this. The prompts of its own shells begin with a
//! character that cannot be seen; those of a container's shell are known by
//! their form.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use regex_lite::Regex;
use witness::terminal::Terminal;

use crate::numbers::Numbers;

/// In front of our own prompts: "record separator", which nothing else prints.
const MARK: char = '\x1e';

/// How long a command may take. In a virtual machine on a busy host the
/// slowest takes half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two terminals in a row, `$ ` and `2$ `, and a shell on each that is asked.
pub struct Session<'a> {
    shell: &'a dyn Fn() -> Command,
    windows: [Window; 2],
    /// The one that was typed in last.
    latest: usize,
    numbers: Numbers,
}

struct Window {
    own_prompt: &'static str,
    /// What the last line on the screen says.
    prompt: String,
    /// Opened when something is first typed in it.
    terminal: Option<Terminal>,
}

impl<'a> Session<'a> {
    /// Nothing has been typed yet. `shell` makes the command that starts an
    /// interactive bash.
    pub fn new(shell: &'a dyn Fn() -> Command) -> Session<'a> {
        let window = |own_prompt: &'static str| Window {
            own_prompt,
            prompt: own_prompt.to_owned(),
            terminal: None,
        };
        Session {
            shell,
            windows: [window("$ "), window("2$ ")],
            latest: 0,
            numbers: Numbers::default(),
        }
    }

    /// Types what these lines of a page say was typed, and returns the lines
    /// as they should be: typed ones, each with its answer.
    ///
    /// # Errors
    /// When no prompt comes back, or a line is typed where none is awaited.
    pub fn replay(&mut self, lines: &[&str]) -> Result<Vec<String>> {
        let mut recorded = Vec::new();
        let (mut old, mut answer) = (Vec::new(), Vec::new());
        for line in lines {
            let Some((window, input)) = self.typed(line) else {
                // Then it is an old answer, or a mistake.
                let is_prompt =
                    |own: &Window| line.starts_with(own.own_prompt);
                if self.windows.iter().any(is_prompt) {
                    bail!("{line:?}: no shell is waiting at that prompt");
                }
                old.push(*line);
                continue;
            };
            self.numbers.learn(&old, &answer);
            old.clear();
            let input = self.numbers.typed(input);
            let prompt = &self.windows[window].prompt;
            recorded.push(format!("{prompt}{input}").trim_end().to_owned());
            self.latest = window;
            answer = self.windows[window].enter(self.shell, &input)?;
            recorded.extend(answer.iter().cloned());
        }
        self.numbers.learn(&old, &answer);
        Ok(recorded)
    }

    /// Was this line typed? Where, and what?
    fn typed<'l>(&self, line: &'l str) -> Option<(usize, &'l str)> {
        let both = [self.latest, 1 - self.latest];
        both.into_iter().find_map(|window| {
            let prompt = &self.windows[window].prompt;
            let input = line.strip_prefix(prompt.as_str());
            // An editor may have taken the blank of an empty line away.
            let empty = (line == prompt.trim_end()).then_some("");
            Some((window, input.or(empty)?))
        })
    }

    /// Closes both terminals. A transcript must leave nothing running.
    ///
    /// # Errors
    /// When a program is still running there.
    pub fn finish(mut self) -> Result<()> {
        for window in &mut self.windows {
            if window.terminal.is_none() {
                continue;
            }
            if window.prompt != window.own_prompt {
                bail!("the page ends within {:?}", window.prompt);
            }
            // Twice: the first tells of those that have ended.
            window.enter(self.shell, "jobs >/dev/null")?;
            let jobs = window.enter(self.shell, "jobs")?;
            if !jobs.is_empty() {
                bail!("still running at the end of the page: {jobs:?}");
            }
            let mut terminal = window.terminal.take().expect("it is open");
            terminal.press("exit\n");
            terminal.wait();
        }
        Ok(())
    }
}

impl Window {
    /// Types a line, and returns what is printed until a prompt is there.
    fn enter(
        &mut self,
        shell: &dyn Fn() -> Command,
        input: &str,
    ) -> Result<Vec<String>> {
        if self.terminal.is_none() {
            let mut terminal = Terminal::run(shell(), true);
            terminal.patience = PATIENCE;
            let own = self.own_prompt;
            // Octal, so that the echo of it does not look like the prompt.
            terminal.press(&format!(
                "stty -echo; PS1=$'\\036{own}' PS2=$'\\036> '\n"
            ));
            let own = format!("{MARK}{own}");
            if terminal.until(|screen| screen.ends_with(&own)).is_none() {
                bail!("there is no shell: {}", terminal.screen);
            }
            self.terminal = Some(terminal);
        }
        self.answer(input)
    }

    fn answer(&mut self, input: &str) -> Result<Vec<String>> {
        let terminal = self.terminal.as_mut().expect("it is open");
        terminal.press(&format!("{input}\n"));
        let seen = terminal.until(|screen| prompt_at_end(screen).is_some());
        let Some(screen) = seen else {
            bail!("after {input:?} no prompt came:\n{}", terminal.screen);
        };
        let (output, prompt) = prompt_at_end(&screen).expect("it was there");
        let is_bash = self.prompt.starts_with("bash-");
        self.prompt = prompt;
        let output = without_greeting(&plain(&output));
        // A bash of root's reads keys by itself: it sees that there is to be
        // no echo, but ends the line all the same. A container's own terminal
        // echoes what is typed.
        let echo = if is_bash { "\n" } else { &format!("{input}\n") };
        let output = output.strip_prefix(echo).unwrap_or(&output);
        Ok(output.lines().map(|line| line.trim_end().to_owned()).collect())
    }
}

/// The shell of a container's image greets whoever starts it, each time with
/// the same five lines. The book's first page says so, once for all.
fn without_greeting(output: &str) -> String {
    let greeting = r"(^|\n)\n*BusyBox v.* \(ash\)\nEnter 'help' for .*\n+";
    let greeting = Regex::new(greeting).expect("a regular expression");
    greeting.replace(output, "$1").into_owned()
}

/// If the screen ends with a prompt: what is before it, and the prompt.
fn prompt_at_end(screen: &str) -> Option<(String, String)> {
    let start = screen.rfind('\n').map_or(0, |end| end + 1);
    let last = plain(&screen[start..]);
    if let Some((before, prompt)) = last.rsplit_once(MARK) {
        let is_prompt = prompt.ends_with("$ ") || prompt.ends_with("> ");
        let output = format!("{}{before}", &screen[..start]);
        return is_prompt.then(|| (output, prompt.to_owned()));
    }
    // Of a rung, of a plain sh as root, of busybox, of bash.
    let forms = r"^(step\d\d .*[#$]|#|/[^ ]* #|bash-[\d.]+[#$]) $";
    let forms = Regex::new(forms).expect("a regular expression");
    forms.is_match(&last).then(|| (screen[..start].to_owned(), last))
}

/// Without what only moves the cursor.
fn plain(text: &str) -> String {
    let moves = Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]|\r");
    let moves = moves.expect("a regular expression");
    moves.replace_all(text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use witness::{Folder, process};

    fn bash() -> Command {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "--noediting", "-i"]);
        bash
    }

    fn recorded(lines: &[&str]) -> Result<Vec<String>> {
        let mut session = Session::new(&bash);
        let recorded = session.replay(lines)?;
        session.finish()?;
        Ok(recorded)
    }

    #[test]
    fn answers_take_the_place_of_older_ones() {
        let page = ["$ echo a; echo; printf b", "old", "$ true", "$ echo c"];
        let new = recorded(&page).expect("recorded");
        let wanted =
            ["$ echo a; echo; printf b", "a", "", "b", "$ true", "$ echo c"];
        assert_eq!(new[..6], wanted);
        assert_eq!(new[6..], ["c"]);
    }

    #[test]
    fn the_shell_is_the_same_and_the_second_is_another() {
        let page = ["$ a=1", "2$ a=2", "$ echo $a", "2$ echo $a"];
        let new = recorded(&page).expect("recorded");
        assert_eq!(
            new,
            ["$ a=1", "2$ a=2", "$ echo $a", "1", "2$ echo $a", "2"]
        );
    }

    #[test]
    fn a_line_may_go_on_and_a_shell_start_another() {
        let page = ["$ cat <<END", "> a $HOME", "> END", "gone"];
        let new = recorded(&page).expect("recorded");
        assert_eq!(new[..3], page[..3]);
        assert_eq!(new.len(), 4);
        let page =
            ["$ PS1='step99 # ' sh", "step99 # echo $0", "step99 # exit"];
        let new = recorded(&page).expect("recorded");
        assert_eq!(new[2], "sh", "{new:?}");
    }

    #[test]
    fn a_bash_within_ends_no_line_of_its_own() {
        let page = [
            "$ PS1='bash-9.9# ' bash --norc",
            "bash-9.9# echo; echo a",
            "bash-9.9# exit",
        ];
        let new = recorded(&page).expect("recorded");
        assert_eq!(new[1..4], [page[1], "", "a"], "{new:?}");
        assert_eq!(new[4..], [page[2], "exit"], "{new:?}");
    }

    #[test]
    fn what_a_shell_says_each_time_is_left_out() {
        let greeting = "\n\nBusyBox v1.35.0 (Debian 1:1.35.0-4) built-in \
            shell (ash)\nEnter 'help' for a list of built-in commands.\n\n";
        assert_eq!(without_greeting(greeting), "");
        let ledger = "step01: process 7\n";
        let both = format!("{ledger}{greeting}");
        assert_eq!(without_greeting(&both), ledger);
        let program = "BusyBox v1.35.0 multi-call binary.\n";
        assert_eq!(without_greeting(program), program);
    }

    #[test]
    fn a_number_is_typed_as_it_was_answered() {
        let page = ["$ echo pid $((3000+1))", "pid 2345", "2$ echo 2345"];
        let new = recorded(&page).expect("recorded");
        assert_eq!(new[1..], ["pid 3001", "2$ echo 3001", "3001"]);
    }

    #[test]
    fn an_untidy_page_is_told() {
        let error = |page: &[&str]| recorded(page).unwrap_err().to_string();
        let folder = Folder::new();
        let pid = folder.join("pid");
        let job = format!("$ sleep 1000 & echo $! >{}", pid.display());
        let running = error(&[&job, "$ true"]);
        assert!(running.contains("still running"), "{running}");
        // Told, and ended.
        let pid = std::fs::read_to_string(pid).expect("its number");
        let pid = pid.trim().parse().expect("a number");
        witness::eventually("it to end", || process::is_gone(pid));
        let within = error(&["$ PS1='step99 # ' sh"]);
        assert!(within.contains("ends within"), "{within}");
        let nobody = error(&["$ PS1='step99 # ' sh", "$ id"]);
        assert!(nobody.contains("no shell is waiting"), "{nobody}");
    }
}
