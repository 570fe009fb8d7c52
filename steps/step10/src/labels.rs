//! Labels: AppArmor and SELinux, the guards that root cannot talk to.
//!
//! A Linux Security Module decides after all other checks have passed, by a
//! policy that the machine's administrator has loaded. A process has a label
//! (AppArmor calls it a profile, SELinux a context) and cannot choose a weaker
//! one for itself. What is written to `attr/exec` becomes its label at the
//! next execve(2): proc_pid_attr(5).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use step00::proc::own;
use step00::{Advice, Proc, Subject};

use crate::Args;

/// Where AppArmor lists the profiles that are loaded.
const PROFILES: &str = "/sys/kernel/security/apparmor/profiles";

/// Outside: can this kernel do what is asked for?
///
/// # Errors
/// When the module is not in the kernel or not switched on, or when the
/// profile is not loaded.
pub fn check(args: &Args) -> Result<()> {
    if let Some(profile) = &args.apparmor {
        check_apparmor(profile)?;
    }
    if args.selinux_label.is_some() && !has_selinux() {
        let error = anyhow!("--selinux-label: SELinux is not in use here");
        return Err(error).advice(
            "a machine of the Fedora family, or --apparmor where that is in \
             use; see: cat /sys/kernel/security/lsm",
        );
    }
    Ok(())
}

fn check_apparmor(profile: &str) -> Result<()> {
    let enabled =
        fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    if enabled.map_or("N".into(), |text| text.trim().to_owned()) != "Y" {
        let error = anyhow!("--apparmor: AppArmor is not in use here");
        return Err(error).advice(
            "scripts/vm cargo run -p step10, whose kernel has it; see: cat \
             /sys/kernel/security/lsm",
        );
    }
    // Only root may read the list; for others the kernel decides at execve.
    let Ok(profiles) = fs::read_to_string(PROFILES) else { return Ok(()) };
    let is_loaded = profiles.lines().any(|line| {
        line.rsplit_once(" (").is_some_and(|(name, _)| name == profile)
    });
    if !is_loaded {
        let error = anyhow!("--apparmor: no profile {profile} is loaded");
        return Err(error)
            .advice("cargo workshop apparmor loads workshop-container");
    }
    Ok(())
}

/// Is SELinux switched on?
pub fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

/// Inside, last of all: the labels that the command is to start with.
pub fn set(args: &Args) -> Result<()> {
    ask(args.apparmor.as_deref(), args.selinux_label.as_deref())
}

// ANCHOR: set
/// The same by name: a profile of AppArmor, and a context of SELinux.
///
/// # Errors
/// ENOENT for a profile that is not loaded, EINVAL for a context that the
/// policy does not know; and when this kernel has no such labels.
pub fn ask(apparmor: Option<&str>, selinux: Option<&str>) -> Result<()> {
    if let Some(profile) = apparmor {
        // `exec` is AppArmor's word for "at the next execve". The folder is
        // for machines with several modules, since Linux 5.8.
        let text = format!("exec {profile}");
        write(&["apparmor/exec", "exec"], &text)
            .with_context(|| format!("ask for the profile {profile}"))?;
    }
    if let Some(label) = selinux {
        write(&["exec"], label.trim())
            .with_context(|| format!("ask for the context {label}"))
            .advice("USER:ROLE:TYPE:LEVEL, as the policy knows them: ps -Z")?;
    }
    Ok(())
}
// ANCHOR_END: set

fn write(files: &[&str], text: &str) -> Result<()> {
    let paths = files.iter().map(|f| format!("thread-self/attr/{f}"));
    let exists = |path: &String| Path::new("/proc").join(path).exists();
    let Some(path) = paths.into_iter().find(exists) else {
        bail!("find /proc/thread-self/attr/{}", files[0]);
    };
    let path = Path::new(&path);
    // Any other file would keep the word as well, and nothing would come of it.
    own::write(path, text)?;
    // SELinux without a policy takes any word, and keeps to its own. AppArmor
    // adds the mode: "profile (enforce)".
    let kept = own::read(path).unwrap_or_default();
    let kept = clean(&kept).split(" (").next().unwrap_or_default();
    match kept == text.trim_start_matches("exec ") {
        true => Ok(()),
        false => bail!("the kernel made {kept:?} of it"),
    }
}

/// Inside: the label that this process has asked for, if any. Only the process
/// itself can ask: another reader may be shown its own label.
///
/// # Errors
/// None: a kernel without labels has none to show.
pub fn at_execve() -> Result<String> {
    let files = ["attr/apparmor/exec", "attr/exec"];
    let read = |file| Proc::own().read(file);
    let labels = files.map(read).into_iter().flatten();
    let label = labels.into_iter().find(|label| !label.is_empty());
    Ok(clean(&label.unwrap_or_default()).to_owned())
}

/// A label may end in a zero byte, or in a new line.
fn clean(label: &str) -> &str {
    label.trim_end_matches(['\0', '\n'])
}

/// The label that the process has now, before its execve(2).
pub fn current(process: &Subject) -> String {
    let files = ["attr/apparmor/current", "attr/current"];
    let texts = files.map(|file| process.read(file)).into_iter().flatten();
    let text = texts.into_iter().find(|text| !text.is_empty());
    clean(&text.unwrap_or_default()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a file of the same folder that cuts what is written: the name of a
    /// thread has 15 bytes.
    #[test]
    fn a_label_is_read_back_and_must_be_the_same() {
        let comm = ["no-such-file", "../comm"];
        write(&comm, "worn").expect("the thread's name");
        let name = own::read(Path::new("thread-self/comm")).expect("read it");
        assert_eq!(name, "worn\n");
        let error = write(&comm, "worn-and-much-too-long").expect_err("cut");
        assert!(error.to_string().contains("the kernel made"), "{error:#}");
        let error = write(&["no-such-file"], "worn").expect_err("no file");
        assert!(error.to_string().contains("attr/no-such-file"), "{error:#}");
    }

    #[test]
    fn a_label_ends_before_the_zero_byte_and_the_new_line() {
        assert_eq!(clean("a:b:c\0"), "a:b:c");
        assert_eq!(clean("profile (enforce)\n"), "profile (enforce)");
        assert_eq!(clean(""), "");
    }
}
