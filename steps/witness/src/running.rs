//! A rung, started as a learner would start it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{
    Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{beat, within};
use crate::{command, eventually, process};

/// What a rung has printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its exit status, or 128+N if signal N killed the rung itself.
    pub status: i32,
    /// What the command printed.
    pub stdout: String,
    /// The ledger, and errors.
    pub stderr: String,
}

/// Runs a rung to its end, with nothing on stdin.
pub fn run(binary: &str, arguments: &[&str]) -> Report {
    run_in(binary, arguments, Path::new("."), &[])
}

/// The same, in this folder and with these variables.
///
/// # Panics
/// When the binary cannot be started.
pub fn run_in(
    binary: &str,
    arguments: &[&str],
    folder: &Path,
    variables: &[(&str, &str)],
) -> Report {
    let mut command = command(binary);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = output(command.envs(variables.iter().copied()));
    Report {
        status: number(output.status),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a command has printed when it has ended, in good time.
///
/// # Panics
/// When it cannot be started, or does not end.
pub fn output(command: &mut Command) -> Output {
    let words = [command.get_program()].into_iter();
    let words: Vec<_> = words.chain(command.get_args()).collect();
    let words = format!("{words:?}");
    let output = within(&format!("the end of {words}"), || command.output());
    output.unwrap_or_else(|error| panic!("start {words}: {error}"))
}

/// How a process has ended, in good time.
///
/// # Panics
/// When it does not end.
pub fn wait(child: &mut Child) -> ExitStatus {
    let line = process::command_line(child.id() as i32);
    let name = format!("the end of {} {line}", child.id());
    within(&name, || child.wait()).expect("wait for a process")
}

fn number(status: ExitStatus) -> i32 {
    status.code().unwrap_or(128 + status.signal().unwrap_or(0))
}

/// A rung whose command waits for its stdin to end.
pub struct Running {
    launcher: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// The process that was made: its number outside.
    pub pid: i32,
}

/// Starts a rung with `sh -c SCRIPT`, and waits until that has begun.
///
/// The script runs after the word `begun` has been printed. It may read from
/// stdin and print. A `cat` follows it, which ends when stdin does.
///
/// # Panics
/// When the rung does not start.
pub fn start(binary: &str, flags: &[&str], script: &str) -> Running {
    let script = format!("echo begun; {script}\ncat");
    beat("its own work");
    let mut launcher = command(binary)
        .args(flags)
        .args(["--", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {binary}: {error}"));
    let stdin = launcher.stdin.take();
    let stdout = launcher.stdout.take().expect("a pipe from stdout");
    let mut running =
        Running { launcher, stdin, stdout: BufReader::new(stdout), pid: 0 };
    let first = running.hear();
    if first != "begun" {
        // A command that waits for its stdin would keep stderr open.
        let report = running.end();
        let stderr = report.stderr;
        panic!("{binary} {flags:?} did not begin: {first:?} {stderr}");
    }
    running.pid = running.find_process();
    running
}

impl Running {
    /// The number of the launcher.
    pub fn launcher(&self) -> i32 {
        self.launcher.id() as i32
    }

    /// The child of the launcher that is neither a guardian nor pasta(1). Most
    /// guardians are made first, and may not have taken their name yet.
    fn find_process(&self) -> i32 {
        let children = process::children(self.launcher());
        let others = ["guardian", "pasta", "pasta.avx2", "passt.avx2"];
        let is_other = |pid: &i32| others.contains(&&*process::name(*pid));
        let child = children.into_iter().rfind(|pid| !is_other(pid));
        child.expect("a child of the launcher")
    }

    /// A file of the process's folder in /proc.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid);
        let text = fs::read_to_string(&path);
        text.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A field of its /proc/PID/status, such as `CapEff` or `Seccomp`.
    ///
    /// # Panics
    /// When there is no such field.
    pub fn status(&self, field: &str) -> String {
        let value = process::status(self.pid, field);
        value.unwrap_or_else(|| panic!("no {field}"))
    }

    /// Is it in another namespace of this kind than the test?
    pub fn is_apart(&self, kind: &str) -> bool {
        crate::namespace(self.pid, kind) != crate::namespace("self", kind)
    }

    /// Writes a line to its stdin.
    ///
    /// # Panics
    /// When nothing reads it any more.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an open stdin");
        let write = || writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        within(&format!("somebody who reads {line:?}"), write).expect("say");
    }

    /// Reads a line of its stdout; empty at end-of-file.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        let name = process::command_line(self.launcher());
        let read = || self.stdout.read_line(&mut line);
        within(&format!("a line from {name}"), read).expect("read its stdout");
        line.trim_end_matches('\n').to_owned()
    }

    /// Sends a signal to the launcher.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.launcher()), signal).expect("send a signal");
    }

    /// Lets the command end by itself, and returns what was printed.
    pub fn end(mut self) -> Report {
        self.stdin = None;
        self.wait()
    }

    /// Waits for the rung's end, whatever brings it about.
    ///
    /// # Panics
    /// When waiting for it fails.
    pub fn wait(mut self) -> Report {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let name = process::command_line(self.launcher());
        let status = within(&format!("the end of {name}"), || {
            self.stdout.read_to_string(&mut stdout).expect("read stdout");
            if let Some(mut pipe) = self.launcher.stderr.take() {
                pipe.read_to_string(&mut stderr).expect("read stderr");
            }
            self.launcher.wait().expect("wait for the rung")
        });
        let status = number(status);
        Report { status, stdout, stderr }
    }

    /// Kills the launcher with SIGKILL and waits until the process is gone,
    /// too.
    pub fn kill(self) -> Report {
        self.signal(Signal::SIGKILL);
        // Its stdin is still open: it does not end by itself.
        eventually("the process to follow its launcher", || {
            process::is_gone(self.pid)
        });
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that has failed lets nothing go on.
        if std::thread::panicking() {
            let _ = self.launcher.kill();
            let _ = self.launcher.wait();
        }
    }
}
