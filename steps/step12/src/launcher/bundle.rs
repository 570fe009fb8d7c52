//! A bundle: a folder with config.json, and mostly with the root filesystem.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use step00::{Advice, Command};

use crate::config::{Config, Process, read_limited};
use crate::flags::Create;

/// What `create` is told.
pub struct Bundle {
    /// The folder, from / on: paths of config.json begin there.
    pub folder: PathBuf,
    /// What config.json says.
    pub config: Config,
    /// What of that is executed.
    pub process: Process,
    /// The file as it is, for a copy.
    pub text: Vec<u8>,
}

impl Bundle {
    /// Reads it, and checks what can be checked before anything is made.
    ///
    /// # Errors
    /// ENOENT where there is none; what is wrong in it, by name.
    pub fn open(args: &Create) -> Result<Bundle> {
        let folder = args.bundle.canonicalize().with_context(|| {
            format!("find the bundle {}", args.bundle.display())
        })?;
        let path = folder.join("config.json");
        let text = read_limited(&path)
            .advice("step12 spec --bundle DIR writes one")?;
        let config = Config::parse(&text)
            .with_context(|| format!("read {}", path.display()))?;
        config.check()?;
        let process = config.process.clone();
        let process = process.context("process must be there")?;
        Ok(Bundle { folder, config, process, text })
    }
}

impl Process {
    /// What is to be executed, with its whole environment: of a variable that
    /// is named twice the last value counts.
    pub fn command(&self) -> Command {
        let arguments = self.args.iter().map(OsString::from).collect();
        let mut command = Command { arguments, environment: Vec::new() };
        for variable in &self.env {
            if let Some((key, value)) = variable.split_once('=') {
                command.set(key, value);
            }
        }
        command
    }
}
