//! Runs a program on random input, and judges how it ended.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// No run takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How one has ended: its status, or 128 and the signal; and its words.
pub struct Ended {
    pub status: i32,
    pub words: String,
}

/// Runs it, with a gigabyte and a half of address space.
///
/// # Errors
/// It hangs, panics, or says more than anybody reads.
pub fn run(command: &mut Command) -> Result<Ended> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 1500000; ulimit -c 0; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    let mut child = shell.stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take().context("its stderr")?;
    let reader = thread::spawn(move || {
        let mut words = Vec::new();
        let _ = stderr.take(1 << 20).read_to_end(&mut words);
        words
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIMIT {
            let group = Pid::from_raw(i32::try_from(child.id())?);
            killpg(group, Signal::SIGKILL)?;
            child.wait()?;
            anyhow::bail!("it hangs");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let words = reader.join().unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let signal = status.signal().map(|signal| 128 + signal);
    let status = status.code().or(signal).context("a status")?;
    let panicked = words.contains("panicked at") || status == 101;
    ensure!(!panicked, "it panics: {words}");
    ensure!(words.len() < 20_000, "it says {} bytes", words.len());
    // What a stranger has put in must not speak to the terminal.
    let is_bad = |c: char| c.is_control() && c != '\n';
    ensure!(!words.contains(is_bad), "control characters: {words:?}");
    Ok(Ended { status, words })
}

/// A folder that is no business of any image or container.
pub struct Victim {
    pub path: PathBuf,
    before: Vec<String>,
}

impl Victim {
    pub fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(path.join("sub"))?;
        for name in ["victim", "sub/second"] {
            let file = path.join(name);
            fs::write(&file, "untouched\n")?;
            fs::set_permissions(file, Permissions::from_mode(0o600))?;
        }
        let mut victim = Self { path, before: Vec::new() };
        victim.before = victim.look()?;
        Ok(victim)
    }

    fn look(&self) -> Result<Vec<String>> {
        let names = ["", "victim", "sub", "sub/second"];
        let mut found =
            vec![format!("{:?}", super::target::names(&self.path)?)];
        found.push(format!(
            "{:?}",
            super::target::names(&self.path.join("sub"))?
        ));
        for name in names {
            let path = self.path.join(name);
            let data = path.symlink_metadata()?;
            let text = fs::read_to_string(path).unwrap_or_default();
            found.push(format!(
                "{name} {:o} {}:{} {} links {:?} {text}",
                data.mode(),
                data.uid(),
                data.gid(),
                data.nlink(),
                data.modified()?
            ));
        }
        Ok(found)
    }

    /// # Errors
    /// Something there is not as it was.
    pub fn check(&self) -> Result<()> {
        let now = self.look()?;
        ensure!(now == self.before, "outside: {now:#?}");
        Ok(())
    }
}

/// Counts how the runs ended; prints it at the end.
#[derive(Default)]
pub struct Tally(BTreeMap<i32, usize>);

impl Tally {
    pub fn note(&mut self, status: i32) {
        *self.0.entry(status).or_default() += 1;
    }

    pub fn print(&self, what: &str) {
        let all: usize = self.0.values().sum();
        let each = self.0.iter().map(|(code, n)| format!("{n} with {code}"));
        let each: Vec<String> = each.collect();
        eprintln!("{what}: {all} runs, {}", each.join(", "));
    }

    /// How many ended so.
    pub fn of(&self, status: i32) -> usize {
        self.0.get(&status).copied().unwrap_or(0)
    }
}

/// The programs that are there, beside the companion.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_workshop")).with_file_name(name)
}
