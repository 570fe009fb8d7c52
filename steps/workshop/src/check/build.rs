//! Cargo builds the rung, as it would for `cargo run`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::ladder::{Repository, Rung};

/// What cargo tells about what it has built, as far as we need it.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Builds it and says where it is; `None` if it does not compile. Then cargo
/// has said on stderr what is wrong.
///
/// # Errors
/// Cargo cannot be started.
pub fn build(
    repository: &Repository,
    rung: &Rung,
    solution: bool,
) -> Result<Option<PathBuf>> {
    let name = rung.name();
    // `cargo run` tells us which cargo it is.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", &name, "--bin", &name])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&repository.0)
        .stdout(Stdio::piped());
    if !solution {
        command.args(["--features", &format!("{name}/exercise")]);
    }
    let mut cargo = command.spawn().context("start cargo")?;
    let messages = BufReader::new(cargo.stdout.take().context("its stdout")?);
    let mut binary = None;
    for line in messages.lines() {
        let line = line.context("listen to cargo")?;
        if let Ok(Message { executable: Some(path) }) =
            serde_json::from_str(&line)
        {
            binary = Some(path);
        }
    }
    let status = cargo.wait().context("wait for cargo")?;
    Ok(binary.filter(|_| status.success()))
}
