//! `workshop measure` and the stopwatch that it starts.

mod target;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use target::{Target, output_of};

/// What the stopwatch answers to a plan.
fn stopwatch(plan: &Value) -> Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stopwatch"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("its input")?;
    input.write_all(plan.to_string().as_bytes())?;
    drop(input);
    Ok(child.wait_with_output()?)
}

/// Its last line.
fn timings(plan: &Value) -> Result<Vec<Value>> {
    let text = output_of(stopwatch(plan)?)?;
    let line = text.lines().last().context("no line")?;
    let page: Value = serde_json::from_str(line)?;
    Ok(page["Done"].as_array().context("not done")?.clone())
}

fn candidate(name: &str, script: &str, wait: &str) -> Value {
    let wait: Vec<&str> = wait.split_whitespace().collect();
    json!({ "name": name, "quick": ["sh", "-c", script], "wait": wait })
}

#[test]
fn it_times_in_turns_there_and_back() -> Result<()> {
    let target = Target::new()?;
    let log = target.path("log");
    let write = |letter| format!("printf {letter} >>{}", log.display());
    let slow = format!("{}; sleep 0.1", write('b'));
    let plan = json!({
        "rounds": 3, "warm_up": 1, "patience": 20.0,
        "candidates": [
            candidate("a", &write('a'), "cat"),
            candidate("b", &slow, ""),
            candidate("c", "echo no such luck >&2; exit 3", "cat"),
        ],
    });
    let found = timings(&plan)?;
    // Once to see whether it runs, one warm-up, three rounds.
    assert_eq!(std::fs::read_to_string(&log)?, "ababbaabba");
    let times = |index: usize| -> Vec<f64> {
        let times = found[index]["times"].as_array().expect("times");
        times.iter().filter_map(Value::as_f64).collect()
    };
    assert_eq!((times(0).len(), times(1).len()), (3, 3));
    assert!(times(1).iter().all(|&time| time >= 100.0), "{found:?}");
    assert!(found[0]["memory"].as_u64() > Some(0), "{found:?}");
    assert!(found[1]["memory"].is_null(), "nothing waits there");
    let error = found[2]["error"].as_str().context("no error")?;
    assert!(error.contains("no such luck"), "{error}");
    assert_eq!(times(2).len(), 0);
    Ok(())
}

#[test]
fn a_slow_one_does_not_keep_the_others_waiting() -> Result<()> {
    let plan = json!({
        "rounds": 5, "warm_up": 0, "patience": 1.5,
        "candidates": [
            candidate("slow", "sleep 1", ""),
            candidate("quick", "true", ""),
        ],
    });
    let found = timings(&plan)?;
    let count = |index: usize| {
        let times = found[index]["times"].as_array().expect("times");
        times.iter().filter(|time| time.is_number()).count()
    };
    assert_eq!((count(0), count(1)), (2, 5));
    Ok(())
}

#[test]
fn what_cannot_wait_has_no_memory_and_ends() -> Result<()> {
    let plan = json!({
        "rounds": 1, "warm_up": 0, "patience": 1.0,
        "candidates": [candidate("deaf", "true", "true")],
    });
    let found = timings(&plan)?;
    assert!(found[0]["memory"].is_null(), "{found:?}");
    assert!(!stopwatch(&json!("nonsense"))?.status.success());
    Ok(())
}

/// Some rungs that cargo has built here, as if they were release builds.
fn target_with(rungs: &[u8]) -> Result<Option<Target>> {
    let target = Target::new()?;
    let debug = Path::new(env!("CARGO_BIN_EXE_workshop")).with_file_name("");
    let mut copy = witness::command("cp");
    copy.arg(env!("CARGO_BIN_EXE_stopwatch"));
    for number in rungs {
        let rung = debug.join(format!("step{number:02}"));
        if !rung.exists() {
            eprintln!("{} is not built: nothing to measure", rung.display());
            return Ok(None);
        }
        copy.arg(rung);
    }
    let release = target.path("release");
    std::fs::create_dir(&release)?;
    ensure!(copy.arg(release).status()?.success(), "cp failed");
    Ok(Some(target))
}

/// Without cargo nothing is built, and the target folder is what there is.
fn measure(target: &Target, flags: &[&str]) -> Result<String> {
    let mut command = target.command(&["measure", "--rounds", "1", "--no-vm"]);
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    command.args(flags).env("CARGO", "/none").env("PATH", path);
    output_of(command.output()?)
}

fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        eprintln!("not root: sudo might ask");
    }
    is_root
}

#[test]
fn the_ladder_is_measured() -> Result<()> {
    // Not all of it: in a virtual machine each start takes a second or two.
    let target = if is_root() { target_with(&[0, 2, 3, 11])? } else { None };
    let Some(target) = target else { return Ok(()) };
    let page: Value = serde_json::from_str(&measure(&target, &["--json"])?)?;
    let rows = page["measured"].as_array().context("no rows")?;
    let row = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.with_context(|| format!("no {name} in {page:#}"))
    };
    for name in ["plain", "step00", "step02", "step03", "step11 *"] {
        let row = row(name)?;
        assert!(row["error"].is_null(), "{row:#}");
        assert!(row["milliseconds"]["median"].as_f64() > Some(0.0), "{row:#}");
        assert!(row["memory_kib"].as_u64() > Some(0), "{row:#}");
    }
    assert_eq!(row("step03")?["beside"], "step02");
    assert!(row("step03")?["adds"]["median"].is_f64());
    assert!(row("plain")?["adds"].is_null());
    assert!(!target.path("measure").exists(), "the bundle is left");
    Ok(())
}

#[test]
fn a_run_is_compared_with_an_earlier_one() -> Result<()> {
    let target = if is_root() { target_with(&[0, 2])? } else { None };
    let Some(target) = target else { return Ok(()) };
    let file = target.path("before.json");
    let text = file.to_str().context("a path that is no text")?;
    // The control: without it nothing is measured at all.
    assert!(measure(&target, &["--against", text]).is_err());
    std::fs::write(&file, measure(&target, &["--json"])?)?;
    let page = measure(&target, &["--against", text])?;
    for name in ["step00", "step02"] {
        let line = page.lines().find(|line| line.starts_with(name));
        let line = line.with_context(|| format!("no {name} in {page}"))?;
        assert!(line.contains('±') && line.contains('%'), "{line}");
    }
    assert!(!page.contains("step01"), "it did not run: {page}");
    Ok(())
}

#[test]
fn who_cannot_run_is_a_line_and_no_error() -> Result<()> {
    let target = if is_root() { target_with(&[0, 1])? } else { None };
    let Some(target) = target else { return Ok(()) };
    let page = measure(&target, &[])?;
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "too long: {line}");
    }
    let row = |name: &str| {
        let row = page.lines().find(|line| line.starts_with(name));
        row.with_context(|| format!("no {name} in {page}"))
    };
    assert!(row("step01")?.contains('±'), "{page}");
    assert!(row("step02")?.contains("does not run here: start"), "{page}");
    assert!(page.contains("Noise:"), "{page}");
    assert!(page.contains("Machine:"), "{page}");
    Ok(())
}
