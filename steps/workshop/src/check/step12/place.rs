//! A bundle, and a folder for what is known of its containers: all in a
//! scratch folder. Their groups are named after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::check::refuse::{Refused, refuse};
use crate::check::report::Report;
use crate::check::scratch::Scratch;
use crate::check::{Attempt, running};

/// Where groups are made.
const GROUPS: &str = "/sys/fs/cgroup";
/// What is known of containers, in the bundle.
const ROOT: &str = "root";

/// What all containers of a look are made of.
pub struct Bundle {
    scratch: Scratch,
    binary: PathBuf,
}

impl Bundle {
    /// Makes it, out of what `spec` writes.
    ///
    /// # Errors
    /// `spec` fails, which is not the learner's.
    pub fn new(attempt: &Attempt) -> Result<Bundle> {
        let scratch = Scratch::new()?;
        scratch.copy_image(attempt.binary())?;
        let binary = attempt.binary().to_owned();
        let bundle = Bundle { scratch, binary };
        let mut command = Command::new(attempt.binary());
        command.arg("spec").arg("--bundle").arg(bundle.scratch.join(""));
        let report = running::run(command)?;
        ensure!(report.status == Some(0), "spec: {}", report.words());
        bundle.simplify()?;
        Ok(bundle)
    }

    /// No limits, and a program that stays.
    fn simplify(&self) -> Result<()> {
        let path = self.scratch.join("config.json");
        let text = fs::read(&path).context("read config.json")?;
        let mut config: Value = serde_json::from_slice(&text)?;
        config["process"]["args"] = json!([Bundle::PROGRAM, "1000"]);
        let linux = config["linux"].as_object_mut().context("find linux")?;
        linux.remove("resources");
        let mounts = config["mounts"].as_array_mut().context("find mounts")?;
        mounts.retain(|mount| mount["destination"] != GROUPS);
        fs::write(path, config.to_string()).context("write config.json")
    }

    /// What a container executes.
    pub const PROGRAM: &str = "sleep";

    /// The rung's command line, as an engine would put it together.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--root").arg(self.root()).args(words);
        // A FIFO that is made in the wrong place is made here.
        command.current_dir(self.scratch.join(""));
        command
    }

    /// `create`, where the kernel refuses these calls.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn create(&self, id: &str, refused: &[Refused<'_>]) -> Result<Report> {
        let mut command = self.create_command(id);
        if !refused.is_empty() {
            refuse(&mut command, refused);
        }
        running::run(command)
    }

    /// `create`.
    pub fn create_command(&self, id: &str) -> Command {
        let mut command = self.command(&["create", "--pid-file"]);
        command.arg(self.pid_file(id)).arg(self.name(id));
        command
    }

    /// Where the number of a container's process is written.
    pub fn pid_file(&self, id: &str) -> PathBuf {
        self.scratch.join(&format!("pid-{id}"))
    }

    /// The whole name of a container. Nobody else has one like it.
    pub fn name(&self, id: &str) -> String {
        let scratch = self.scratch.join("");
        let unique = scratch.file_name().unwrap_or_default();
        format!("{}-{id}", unique.to_string_lossy())
    }

    /// Where the folder of a container is, by its whole name.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.root().join(id)
    }

    fn root(&self) -> PathBuf {
        self.scratch.join(ROOT)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        remove_groups_of(&self.root());
    }
}

/// Removes the groups of all containers that are known in a folder of scratch
/// folders: a trial that was killed has left them, and no process in them.
pub fn remove_groups(scratch: &Path) {
    for bundle in below(scratch) {
        remove_groups_of(&bundle.join(ROOT));
    }
}

fn remove_groups_of(root: &Path) {
    for container in below(root) {
        let text = fs::read(container.join("state.json")).unwrap_or_default();
        let state: Value = serde_json::from_slice(&text).unwrap_or_default();
        let groups = state["cgroup"]["groups"].as_object();
        for group in groups.into_iter().flat_map(|groups| groups.values()) {
            let group = Path::new(group.as_str().unwrap_or_default());
            // Only one that bears the container's own name, which is unique.
            if group.file_name() == container.file_name() {
                let _ = fs::remove_dir(group);
            }
        }
    }
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}
