//! A root filesystem that is one program: a static busybox.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::layout::make_link;
use super::programs::{copy, is_static, places};

/// The first static busybox on this machine.
///
/// One that does not run (made for another processor) is passed over like one
/// that is missing.
pub(super) fn find() -> Option<PathBuf> {
    let names = ["busybox", "busybox.static", "busybox-static"];
    places()
        .iter()
        .flat_map(|place| names.map(|name| place.join(name)))
        .find(|file| is_static(file) && applets(file).is_ok())
}

/// Copies it to `root`, with a link for each of its commands.
pub(super) fn install(root: &Path, busybox: &Path) -> Result<()> {
    let bin = root.join("usr/bin");
    copy(busybox, &bin.join("busybox"))?;
    // busybox looks at the name that it was called by: argv[0] is the command.
    for applet in applets(busybox)? {
        make_link("busybox", &bin.join(applet))?;
    }
    Ok(())
}

/// The commands that this busybox was built with.
fn applets(busybox: &Path) -> Result<Vec<String>> {
    let output = Command::new(busybox)
        .arg("--list")
        .output()
        .with_context(|| format!("run {} --list", busybox.display()))?;
    let list = String::from_utf8_lossy(&output.stdout);
    let names: Vec<_> = list
        .lines()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .filter(|name| name != "busybox")
        .collect();
    ensure!(
        names.iter().any(|name| name == "sh"),
        "{} --list names no sh: install another busybox or remove this one",
        busybox.display()
    );
    Ok(names)
}
