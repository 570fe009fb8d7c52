//! The flags of step03.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};

use crate::{rootfs, volumes};

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step03: the files")]
#[group(skip)]
pub struct Args {
    /// The folder that becomes `/` [default: target/rootfs, made if missing]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,

    /// Nothing in `/` can be changed (volumes can)
    #[arg(long)]
    pub read_only: bool,

    /// Show a folder or file of the machine inside; :ro for read-only
    #[arg(short, long, value_name = "HOST:INSIDE[:ro]")]
    #[arg(value_parser = volumes::parse)]
    pub volume: Vec<volumes::Specification>,

    /// The folder in which the command starts [default: /]
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,

    /// Set a variable; without a value, that of the launcher's
    #[arg(short, long, value_name = "K[=V]", value_parser = parse_variable)]
    pub env: Vec<Variable>,

    /// Set the variables in a file: lines of K=V, or K alone
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Variables that are set before all of these, which have the last word.
    #[arg(skip)]
    pub default_env: Vec<Variable>,
}

impl Args {
    /// The folder in which the command starts.
    pub fn workdir(&self) -> &Path {
        self.workdir.as_deref().unwrap_or(Path::new("/"))
    }

    /// The folder that becomes `/`. The default one is made on first need.
    ///
    /// # Errors
    /// When a folder that was asked for is not there.
    pub fn new_root(&self) -> Result<PathBuf> {
        let path = match &self.rootfs {
            Some(path) => path.clone(),
            None => rootfs::default_path()?,
        };
        rootfs::ensure(&path)?;
        path.canonicalize().with_context(|| format!("find {}", path.display()))
    }
}

/// A variable of the command's environment. One without a value has that of
/// the launcher's environment, or is not set at all.
pub type Variable = (String, Option<String>);

/// Reads `NAME=VALUE`, or `NAME`.
///
/// Everybody can read a command line (/proc/PID/cmdline), and an environment
/// only its owner. So a secret is given by its name alone, or in a file.
///
/// # Errors
/// When there is no name.
pub fn parse_variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=').unwrap_or((text, "")) {
        ("", _) => Err("write NAME=VALUE, or NAME".into()),
        (key, value) if key.len() < text.len() => {
            Ok((key.into(), Some(value.into())))
        }
        (key, _) => Ok((key.into(), std::env::var(key).ok())),
    }
}

/// The variables that are asked for: the defaults first, then those in files,
/// so that a flag has the last word.
///
/// # Errors
/// When a file cannot be read, or a line of it has no name.
pub fn variables(args: &Args) -> Result<Vec<Variable>> {
    let mut all = args.default_env.clone();
    for file in &args.env_file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("read {}", file.display()))?;
        // Blank lines and comments, as Docker has them.
        let lines = text.lines().filter(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        for line in lines {
            let read = parse_variable(line).map_err(Error::msg);
            all.push(read.with_context(|| {
                format!("read a variable in {}", file.display())
            })?);
        }
    }
    all.extend(args.env.iter().cloned());
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_perhaps_a_value() {
        let parse = |text| parse_variable(text).expect(text);
        let value = |text: &str| Some(text.to_owned());
        assert_eq!(parse("KEY=word"), ("KEY".into(), value("word")));
        assert_eq!(parse("KEY=a=b"), ("KEY".into(), value("a=b")));
        assert_eq!(parse("KEY="), ("KEY".into(), value("")));
        assert_eq!(
            parse("NO_SUCH_VARIABLE"),
            ("NO_SUCH_VARIABLE".into(), None)
        );
        let path = std::env::var("PATH").ok();
        assert!(path.is_some(), "a test has one");
        assert_eq!(parse("PATH"), ("PATH".into(), path));
        for bad in ["", "=", "=word"] {
            assert!(parse_variable(bad).is_err(), "{bad:?} was taken");
        }
    }
}
