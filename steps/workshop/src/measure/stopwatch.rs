//! The stopwatch of `workshop measure`: starts commands and times them.
//!
//! It is a program of its own because the rungs take root, and the companion
//! is never root itself: `sudo stopwatch` is the one thing that it elevates.
//! Plan on stdin, one JSON line per event on stdout (plan.rs).
//!
//! The candidates take turns, and every other round goes backwards: a slow
//! second is slow for all, and none always runs after the same neighbour.

mod plan;

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;
use step00::Proc;

use plan::{Candidate, Plan, Timing, Word};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "stopwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("read the plan")?;
    let plan: Plan = serde_json::from_str(&text).context("read the plan")?;
    let mut timings = Vec::new();
    for candidate in &plan.candidates {
        say(&Word::Trying(candidate.name.clone()))?;
        timings.push(look(candidate));
    }
    rounds(&plan, &mut timings)?;
    say(&Word::Done(timings))
}

fn say(word: &Word) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(word)?)?;
    Ok(out.flush()?)
}

/// Does it run at all? How much memory does it take?
fn look(candidate: &Candidate) -> Timing {
    let error = attempt(&candidate.quick).err();
    let error = error.map(|error| format!("{error:#}"));
    let memory = match error {
        None => memory(&candidate.wait).ok(),
        Some(_) => None,
    };
    Timing { times: Vec::new(), memory, error }
}

fn command(words: &[String]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

fn attempt(words: &[String]) -> Result<()> {
    let output = command(words)?.stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("start {}", words[0]))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| !line.trim().is_empty());
        bail!("{} ({})", line.unwrap_or("no word").trim(), output.status);
    }
    Ok(())
}

fn rounds(plan: &Plan, timings: &mut [Timing]) -> Result<()> {
    let count = plan.candidates.len();
    let mut spent = vec![0.0; count];
    for round in 0..plan.warm_up + plan.rounds {
        let is_warm = round >= plan.warm_up;
        if is_warm {
            let round = round - plan.warm_up + 1;
            say(&Word::Round(round as u64, plan.rounds as u64))?;
        }
        for turn in 0..count {
            let index = if round % 2 == 0 { turn } else { count - 1 - turn };
            let may =
                timings[index].error.is_none() && spent[index] < plan.patience;
            let time = match may {
                true => Some(time(&plan.candidates[index])?),
                false => None,
            };
            spent[index] += time.unwrap_or(0.0) / 1e3;
            if is_warm {
                timings[index].times.push(time);
            }
        }
    }
    Ok(())
}

/// In milliseconds, from before the start until after the end.
fn time(candidate: &Candidate) -> Result<f64> {
    let mut command = command(&candidate.quick)?;
    command.stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let time = start.elapsed();
    ensure!(status.success(), "{} failed: {status}", candidate.name);
    Ok(time.as_secs_f64() * 1e3)
}

/// The memory of all processes that it takes for one `cat` to wait. That it is
/// there shows when what goes in comes out again.
fn memory(words: &[String]) -> Result<u64> {
    ensure!(!words.is_empty(), "its processes are somebody else's");
    let mut command = command(words)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let found = echo(&mut child).and_then(|()| {
        let processes = descendants(child.id());
        let sizes = processes.iter().map(|pid| proportion(*pid));
        sizes.sum::<Option<u64>>().context("read smaps_rollup")
    });
    // The `cat` ends when its input does, and all the rest with it.
    drop(child.stdin.take());
    for _ in 0..500 {
        if child.try_wait()?.is_some() {
            return found;
        }
        sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    found
}

/// Sends a line through the `cat`, which has a minute to return it.
fn echo(child: &mut Child) -> Result<()> {
    let input = child.stdin.as_mut().context("its input")?;
    input.write_all(b"x\n")?;
    let output = child.stdout.as_mut().context("its output")?;
    let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
    ensure!(poll(&mut ready, 60_000u16)? == 1, "no cat has started");
    let mut line = [0; 2];
    output.read_exact(&mut line).context("no cat has started")?;
    ensure!(&line == b"x\n", "that is no cat");
    Ok(())
}

/// A process and all that descends from it.
fn descendants(pid: u32) -> Vec<u32> {
    let children = Proc::of(Pid::from_raw(pid as i32)).children();
    let children = children.unwrap_or_default().into_iter();
    let children = children.map(|child| child.as_raw() as u32);
    std::iter::once(pid).chain(children.flat_map(descendants)).collect()
}

/// Its proportional set size in KiB (proc_pid_smaps(5)): a page that three
/// processes share counts a third.
fn proportion(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Pss:"));
    lines.next()?.split_whitespace().next()?.parse().ok()
}
