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
    let names = names(&String::from_utf8_lossy(&output.stdout));
    ensure!(
        names.iter().any(|name| name == "sh"),
        "{} --list names no sh: install another busybox or remove this one",
        busybox.display()
    );
    Ok(names)
}

/// What may become a link: one name each, and not that of the program itself.
fn names(list: &str) -> Vec<String> {
    let names = list.lines().map(str::trim);
    let is_name = |name: &&str| {
        !name.is_empty() && !name.contains('/') && *name != "busybox"
    };
    names.filter(is_name).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_links() {
        let list = "[\nbusybox\n\n ls \nusr/bin/env\nsh\n";
        assert_eq!(names(list), ["[", "ls", "sh"]);
        assert_eq!(names(""), [""; 0]);
    }

    #[test]
    fn what_names_no_shell_is_no_busybox() {
        // Prints its argument, as far as it takes it for one.
        let error = applets(Path::new("/bin/echo")).expect_err("no busybox");
        assert!(error.to_string().contains("names no sh"), "{error:#}");
        let error = applets(Path::new("/no/such")).expect_err("no file");
        assert!(error.to_string().contains("run /no/such"), "{error:#}");
    }
}
