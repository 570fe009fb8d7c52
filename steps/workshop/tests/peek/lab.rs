//! Something to peek at, and the companion to do it.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;
use witness::{eventually, process};

/// A process that waits, with all that it took to start it. They end when this
/// is dropped.
pub struct Box {
    launcher: Child,
    /// The process to look at.
    pub pid: i32,
}

/// Runs `LAUNCHER … cat` and waits for the `cat`, which may be a grandchild.
pub fn boxed(launcher: &[&str]) -> Box {
    let mut command: Vec<&str> = launcher.to_vec();
    command.push("cat");
    running(&command, "cat")
}

/// Runs a command and waits until it, or a descendant, has this name.
pub fn running(command: &[&str], name: &str) -> Box {
    let launcher = witness::command(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    let mut found = Box { launcher, pid: 0 };
    eventually("the command to have started", || {
        let top = found.launcher.id() as i32;
        let pid = descendants(top).into_iter().find(|&pid| {
            process::name(pid) == name && process::state(pid) == Some('S')
        });
        found.pid = pid.unwrap_or(0);
        found.pid != 0
    });
    found
}

/// A process and all that descends from it. Each thread has its own children:
/// Go, in which runc is written, starts programs from any of them.
fn descendants(pid: i32) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let list = std::fs::read_to_string(thread.path().join("children"));
        let list = list.unwrap_or_default();
        let list = list.split_whitespace().flat_map(str::parse);
        list.collect::<Vec<i32>>()
    });
    std::iter::once(pid).chain(children.flat_map(descendants)).collect()
}

impl Drop for Box {
    fn drop(&mut self) {
        // Its waiting parents follow. SIGKILL reaches a frozen process, too.
        drop(self.launcher.stdin.take());
        if self.pid > 0 {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        let _ = self.launcher.wait();
    }
}

/// Copies busybox to `to`, by another program: would this one hold the copy
/// open for writing while another test forks, it could not be executed.
pub fn copy_busybox(to: &std::path::Path) {
    let busybox = witness::find("busybox").expect("busybox-static");
    let mut cp = witness::command("cp");
    let copied = witness::output(cp.arg(busybox).arg(to));
    assert!(copied.status.success(), "{copied:?}");
}

/// bubblewrap with these flags, and the machine's files.
pub fn bubblewrap(flags: &[&'static str]) -> Vec<&'static str> {
    let mut command = vec!["bwrap", "--ro-bind", "/", "/", "--dev", "/dev"];
    command.extend(["--proc", "/proc"]);
    command.extend(flags);
    command
}

/// What the companion prints.
///
/// # Panics
/// When it does not succeed, or prints a line that is too long.
pub fn peek(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    checked(witness::output(command.arg("peek").args(arguments)))
}

/// The same, run by a user who may not look at root's processes.
pub fn peek_as_nobody(arguments: &[&str]) -> String {
    // A copy that all can reach: another user cannot enter our folder.
    let mut command = witness::command("sh");
    command.args([
        "-c",
        "exec setpriv --reuid 65534 --regid 65534 \
        --clear-groups --inh-caps=-all /proc/self/fd/9 peek \"$@\" 9<\"$0\"",
    ]);
    command.arg(env!("CARGO_BIN_EXE_workshop")).args(arguments);
    checked(command.output().expect("start the companion"))
}

fn checked(output: std::process::Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\u{1b}'), "colour in a pipe: {text}");
    if !text.starts_with('{') {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "too long: {line}");
        }
    }
    text
}

/// The report on a process, for programs.
pub fn report(pid: i32) -> Value {
    let text = peek(&[&pid.to_string(), "--json"]);
    serde_json::from_str(&text).expect("JSON")
}

/// One row of it.
pub fn row<'a>(report: &'a Value, part: &str, subject: &str) -> &'a Value {
    let rows = report[part].as_array().expect("rows");
    let row = rows.iter().find(|row| row["subject"] == subject);
    row.unwrap_or_else(|| panic!("no {subject} in {report:#}"))
}

/// The kinds of namespace that a report calls "blind".
pub fn blind(report: &Value) -> Vec<&str> {
    let rows = report["blindfolds"].as_array().expect("rows");
    let rows = rows.iter().filter(|row| row["mark"] == "blind");
    rows.filter_map(|row| row["subject"].as_str()).collect()
}

/// Does the test run as root? If not, it says so.
pub fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        eprintln!("not root: nothing to try here");
    }
    is_root
}
