//! `workshop apparmor`: gives the kernel the profile that step10 puts on.
//!
//! The kernel holds profiles by name, for the whole machine and until it is
//! switched off; only root may change them. apparmor_parser(8) turns the text
//! into what the kernel reads. It is the one command here that needs root.
//!
//! Unloading frees every process that wears the profile, so it is refused
//! while one does.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use step00::Advice;

use crate::elevate::{elevate, find};
use crate::text::shown;

/// The profile's name, and that of its file.
const NAME: &str = "workshop-container";

/// Where the kernel shows each profile as a folder `NAME.NUMBER`. Anyone may
/// list it; `profiles` beside it is for root alone.
const LOADED: &str = "/sys/kernel/security/apparmor/policy/profiles";

/// The flags of `workshop apparmor`.
#[derive(Debug, Args)]
pub struct AppArmor {
    /// Unload it again
    #[arg(long)]
    remove: bool,
}

/// Loads the profile, or unloads it.
///
/// # Errors
/// The kernel has no AppArmor or does not use it; apparmor_parser is missing
/// or fails; or the profile is to be unloaded while a process wears it.
pub fn run(args: &AppArmor, out: &mut impl Write) -> Result<()> {
    if args.remove {
        match is_loaded() {
            true => unload()?,
            false => return Ok(writeln!(out, "{NAME} is not loaded")?),
        }
        return Ok(writeln!(out, "unloaded {NAME}")?);
    }
    is_enabled()?;
    parse("-r")?;
    ensure!(is_loaded(), "{LOADED} does not list {NAME}, though it is loaded");
    writeln!(out, "loaded {NAME}, until the machine is switched off")?;
    writeln!(out, "wear it:")?;
    Ok(writeln!(out, "  cargo run -p step10 -- --apparmor {NAME}")?)
}

/// Does the kernel hold our profile?
#[must_use]
pub fn is_loaded() -> bool {
    let profiles = fs::read_dir(LOADED).into_iter().flatten().flatten();
    let mut names = profiles.map(|entry| entry.file_name());
    names.any(|name| {
        let name = name.to_string_lossy();
        name.rsplit_once('.').is_some_and(|(name, _)| name == NAME)
    })
}

/// Takes our profile out of the kernel.
///
/// # Errors
/// A process wears it; or apparmor_parser is missing or fails.
pub fn unload() -> Result<()> {
    if let Some(pid) = wearer() {
        bail!(
            "unload {NAME}: process {pid} wears it, and would be free of it; \
             end that first"
        );
    }
    parse("-R")
}

/// A process that wears it: its label is `workshop-container (enforce)`.
fn wearer() -> Option<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut entries = entries.filter(|entry| {
        let label = fs::read_to_string(entry.path().join("attr/current"));
        label.is_ok_and(|label| label.split(' ').next() == Some(NAME))
    });
    Some(entries.next()?.file_name().to_string_lossy().into_owned())
}

/// apparmor_parser with one option: `-r` replaces, `-R` removes.
fn parse(option: &str) -> Result<()> {
    find("apparmor_parser")
        .context("find apparmor_parser, which compiles profiles")
        .advice("sudo apt install apparmor")?;
    let profile = profile();
    ensure!(profile.exists(), "find the profile {}", profile.display());
    let profile = shown(&profile);
    let why = "profiles are the whole machine's, so only root may change them";
    elevate("apparmor_parser", &[option, &profile], why)
}

/// The companion is always built in the repository that it belongs to.
fn profile() -> PathBuf {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("step10");
    steps.join("apparmor").join(NAME)
}

/// Succeeds where the kernel asks AppArmor. Only one of the big security
/// modules is in use at a time, chosen when the machine starts.
fn is_enabled() -> Result<()> {
    let enabled =
        fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    let Ok(enabled) = enabled else {
        let error = anyhow!(
            "this kernel was built without AppArmor (Debian's, Ubuntu's and \
             SUSE's have it)"
        );
        return Err(error).advice(
            "scripts/vm, a machine whose kernel has it; or, where SELinux is \
             in use, step10's --selinux-label",
        );
    };
    if enabled.trim() != "Y" {
        return Err(anyhow!(
            "this kernel has AppArmor, but it is not enabled"
        ))
        .advice(
            "start the machine with the kernel parameter \
                 security=apparmor",
        );
    }
    if !Path::new("/sys/kernel/security/apparmor").exists() {
        let error = anyhow!(
            "AppArmor is enabled, but its files are not here: this may be a \
             container, and profiles belong to the machine"
        );
        return Err(error).advice(
            "sudo mount -t securityfs securityfs /sys/kernel/security",
        );
    }
    Ok(())
}
