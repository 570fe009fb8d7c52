//! Starts processes, asks them and the machine about them, and prints what
//! was answered.
//!
//! A view has one answer for each state of the primitives that it depends on.
//! All others are on or off as it comes, and most questions are asked twice: a
//! forgotten dependency shows as two different answers to one question, and
//! that is an error.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;

use crate::record::{Answers, Record};
use crate::views::{PRIMITIVES, Side, VIEWS, View, Worn};
use crate::wear::{IMAGE, TEN_DAYS, WEAR};
use crate::write::{answers_agree, print_data};

/// A line that no answer is.
const END: &str = "--- end of the answer";

/// Records all of it. To be run as root in a throw-away machine: a process
/// without blindfolds writes to the machine's own files.
pub fn print() -> Result<()> {
    let mut record = Record::default();
    let mut machine = Shell::start(&mut Command::new("sh"))?;
    // Higher rungs put nothing more on.
    let highest = PRIMITIVES.iter().map(|it| it.rung).max().unwrap_or(0);
    for rung in 0..=highest {
        let worn = Worn::of_rung(rung);
        observe(&mut record, &mut launcher_of(rung), worn, &mut machine)?;
    }
    let mut chance = Chance(7);
    while let Some(worn) = next(&record.answers, &mut chance) {
        observe(&mut record, &mut launcher(worn), worn, &mut machine)?;
    }
    refuse(&mut record, &mut chance)?;
    control(&record)?;
    print_data(&record)?;
    match record.conflicts.is_empty() {
        true => Ok(()),
        false => bail!("{}", record.conflicts.join("\n")),
    }
}

/// Without the kernel's threads, which `ps` shows in brackets and which come
/// and go, and without the shell's count of the lines that it has read.
fn tidied(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.ends_with(']'));
    let untold = |line: &str| -> Option<String> {
        let (number, rest) = line.strip_prefix("sh: ")?.split_once(": ")?;
        number.parse::<u32>().ok()?;
        Some(format!("sh: {rest}"))
    };
    lines
        .map(|line| untold(line).unwrap_or_else(|| line.into()) + "\n")
        .collect()
}

/// A process of this program that wears these.
fn launcher(worn: Worn) -> Command {
    let mut command = Command::new("building");
    command.env(WEAR, worn.words().join(",")).arg("sh");
    command
}

/// The rung itself. Each has the flags of those below it.
fn launcher_of(rung: usize) -> Command {
    let mut command = Command::new(format!("step{rung:02}"));
    command.arg("-q");
    if rung >= 3 {
        command.arg("--rootfs").arg(IMAGE);
    }
    if rung >= 9 {
        command.arg("--boottime-offset").arg(TEN_DAYS.to_string());
    }
    command.arg("sh");
    command
}

/// A choice that answers a question which is still open, if there is one.
fn next(answers: &Answers, chance: &mut Chance) -> Option<Worn> {
    let open = |worn: Worn| {
        let known =
            |view: &&View| answers.contains_key(&(view.id, worn.key(view.on)));
        VIEWS.iter().filter(|view| !known(view)).count()
    };
    let all = 0..1 << PRIMITIVES.len();
    let all = all.map(Worn).filter(|w| w.is_possible() && !w.is_refused());
    let most = all.clone().map(open).max()?;
    let best: Vec<Worn> = all.filter(|&worn| open(worn) == most).collect();
    (most > 0).then(|| best[chance.below(best.len())])
}

/// A process with one of these three is refused, whatever else it has on.
fn refuse(record: &mut Record, chance: &mut Chance) -> Result<()> {
    let all = (0..1 << PRIMITIVES.len()).map(Worn);
    let refused: Vec<Worn> =
        all.filter(|w| w.is_possible() && w.is_refused()).collect();
    for _ in 0..3 {
        let worn = refused[chance.below(refused.len())];
        let output = launcher(worn).output()?;
        if output.status.success() {
            bail!("{:?} is not refused", worn.words());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let text = text.lines().next().unwrap_or_default().to_owned();
        if !record.refusal.is_empty() && record.refusal != text {
            bail!("two refusals: {:?} and {text:?}", record.refusal);
        }
        record.refusal = text;
    }
    Ok(())
}

/// Starts one process, and asks it what is not known well enough yet.
fn observe(
    record: &mut Record,
    launcher: &mut Command,
    worn: Worn,
    machine: &mut Shell,
) -> Result<()> {
    let mut process = Shell::start(launcher)?;
    let pid = process.pid()?;
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let group = group.trim().trim_start_matches("0::/").to_owned();
    let own = std::process::id().to_string();
    for view in VIEWS {
        let key = (view.id, worn.key(view.on));
        // The letter is written each time: another question looks for it.
        if record.confirmed.contains(&key) && view.id != "letter" {
            continue;
        }
        let answer = match view.side {
            Side::Inside => process.ask(&view.command.replace("$HOST", &own)),
            Side::Outside => machine.ask(
                &view.command.replace("$PID", &pid).replace("$GROUP", &group),
            ),
        }?;
        let answer = tidied(&answer);
        match record.answers.get(&key) {
            Some(known) if !answers_agree(known, &answer) => {
                record.conflicts.push(format!(
                    "{} depends on more than {:?}: {launcher:?} with {:?} \
                     answered\n{answer}and another\n{known}",
                    view.command,
                    view.on,
                    worn.words()
                ));
            }
            Some(_) => record.confirmed.push(key),
            None => drop(record.answers.insert(key, answer)),
        }
    }
    process.end()?;
    for letter in ["/letter", "/srv/image/letter"] {
        let _ = fs::remove_file(letter);
    }
    Ok(())
}

/// That a forgotten dependency would have been seen: without its `mount`, two
/// answers of `ps` would stand under one key.
fn control(record: &Record) -> Result<()> {
    let ps = |key: &str| &record.answers[&("ps", key.to_owned())];
    match answers_agree(ps("100"), ps("110")) {
        true => bail!("the comparison of answers sees no difference"),
        false => Ok(()),
    }
}

/// A shell that waits for questions.
struct Shell {
    started: Child,
    answers: BufReader<File>,
}

impl Shell {
    /// Starts one, which a launcher is to start in its turn.
    fn start(command: &mut Command) -> Result<Shell> {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        command
            .env("SUDO_UID", "1000")
            .env("SUDO_GID", "1000")
            .stdin(Stdio::piped())
            .stdout(write.try_clone()?)
            .stderr(write);
        let started = command.spawn().context("start a process")?;
        // The command holds the other end of the pipe as well.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let answers = BufReader::new(File::from(read));
        let mut shell = Shell { started, answers };
        match shell.ask(":")?.as_str() {
            "" => Ok(shell),
            other => bail!("{command:?} says {other}"),
        }
    }

    /// Its number on the machine: that of its launcher's child.
    fn pid(&self) -> Result<String> {
        let id = self.started.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(path)?;
        let is_shell = |pid: &&str| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name == "sh\n")
        };
        let pid = children.split_whitespace().find(is_shell);
        Ok(pid.context("find the shell among its children")?.into())
    }

    /// What it answers. It may not live to tell.
    fn ask(&mut self, command: &str) -> Result<String> {
        let input = self.started.stdin.as_mut().context("talk to it")?;
        writeln!(input, "{{ {command}; }} 2>&1; echo '{END}'")?;
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                let status = self.started.wait()?;
                return Ok(format!("{answer}({status})\n"));
            }
            if line.trim_end() == END {
                return Ok(answer);
            }
            answer += &line;
        }
    }

    fn end(mut self) -> Result<()> {
        drop(self.started.stdin.take());
        self.started.wait().context("wait for its end").map(drop)
    }
}

/// The same numbers each time: what is recorded is to be recorded again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}
