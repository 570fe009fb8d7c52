//! What step11 has recorded of containers that have ended.
//!
//! Each is a folder with a file `lock`, which its launcher holds while it
//! lives (steps/step11/src/record.rs). What is running is left alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;

use crate::elevate;

/// Those of the machine's root, for root alone. (A test has its own folder.)
fn roots() -> String {
    std::env::var("WORKSHOP_RUN").unwrap_or("/run/workshop".into())
}

/// Removes each folder whose lock is free, and the folder above them if
/// nothing is left in it. Prints what is gone.
const FORGET: &str = r#"
cd "$1" || exit
for folder in *; do
    flock --nonblock "$folder/lock" rm -r "$folder" && echo "$1/$folder"
done
rmdir "$1" 2>/dev/null
:"#;

/// Removes them, and returns where they were.
///
/// # Errors
/// There is no sudo, or it refuses.
pub fn ended() -> Result<Vec<String>> {
    let mut gone = Vec::new();
    let roots = roots();
    if Path::new(&roots).is_dir() {
        let line = format!("sh -c '… rm -r …' sh {roots}");
        let why = "what step11 has on record belongs to root";
        gone.extend(forget(elevate::as_root("sh", why, &line)?, &roots)?);
    }
    let own = match std::env::var("XDG_RUNTIME_DIR") {
        Ok(folder) => format!("{folder}/workshop"),
        Err(_) => format!("/tmp/workshop-{}", geteuid()),
    };
    if Path::new(&own).is_dir() {
        gone.extend(forget(Command::new("sh"), &own)?);
    }
    Ok(gone)
}

fn forget(mut shell: Command, base: &str) -> Result<Vec<String>> {
    let output = shell.args(["-c", FORGET, "sh", base]).output();
    let output = output.context("run a shell")?;
    ensure!(output.status.success(), "look into {base}: {}", output.status);
    let gone = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(gone.lines().map(str::to_owned).collect())
}
