//! step03: the mount namespace.
//!
//! It blinds to the machine's files: the process gets another root directory,
//! with a /proc, /sys and /dev of its own, and the old one is gone from its
//! mount namespace. `ps` is blind from here on, because /proc is another.
//!
//! Interface:
//!
//! - [`root`] - the primitive: let go, furnish, pivot.
//! - [`rootfs`] - a root file system made without any download.
//! - [`volumes`], [`tree`] - folders of the machine that are shown on purpose.
//! - [`Args`] - `--rootfs`, `--read-only`, `--volume`, `--workdir`, `--env`.
//! - [`ledger`] - what is mounted on the process's `/`.
//!
//! Still visible: the machine's interfaces (`ip link`), its users (root is
//! real root), its uptime, its kernel.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step03 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod root;
#[cfg(not(feature = "exercise"))]
pub mod root;

pub mod rootfs;
pub mod tree;
pub mod volumes;

mod devices;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use step00::{Advice, Line, Mark, Stage, Subject};

use tree::Attributes;

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

    /// The folder in which the command starts
    #[arg(short, long, value_name = "DIR", default_value = "/")]
    pub workdir: PathBuf,

    /// Set a variable; the environment inside starts clean
    #[arg(short, long, value_name = "K=V", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
}

impl Args {
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

/// Gives the command a clean environment: the machine's variables name files
/// and secrets that are none of the container's business.
pub fn clean_environment(
    stage: &mut Stage<'_>,
    args: &Args,
    uts: &step01::Args,
) {
    let term = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let prompt = format!("{} # ", stage.rung);
    stage.command.environment.clear();
    for (key, value) in [
        ("PATH", path),
        ("HOME", "/root"),
        ("TERM", &term),
        ("HOSTNAME", &uts.hostname),
        ("PS1", &prompt),
    ] {
        stage.command.set(key, value);
    }
    for (key, value) in &args.env {
        stage.command.set(key, value);
    }
}

/// Inside, after the pivot: the last touches that the flags ask for.
///
/// # Errors
/// ENOENT when there is no such working directory.
pub fn settle_in(args: &Args) -> Result<()> {
    if args.read_only {
        // The mount, not the filesystem; and only this mount, not those below
        // it: /dev and volumes stay as they are.
        let root = File::open("/").context("open /")?;
        tree::change_alone(root.as_fd(), Attributes::READ_ONLY)
            .context("make / read-only")?;
    }
    enter(&args.workdir)
        .with_context(|| format!("enter {} inside", args.workdir.display()))
        .advice("--workdir takes a folder that the image or a volume has")
}

/// Changes the working directory, but by no "magic link": /proc/self/fd/7 is a
/// way past the root, to a folder that the launcher has open, and a symbolic
/// link of the image may lead there (CVE-2024-21626).
///
/// # Errors
/// ELOOP for such a link, and as for chdir(2).
pub fn enter(folder: &Path) -> nix::Result<()> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    nix::unistd::fchdir(openat2(AT_FDCWD, folder, how)?)
}

/// Reads which mount its root directory is in. Of several mounts on `/` only
/// the kernel can tell: a pivot that was not finished leaves the old one.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("mnt")? {
        return Ok(Vec::new());
    }
    let mounts = process.mounts()?;
    let root = mounts.root().context("find / in its mountinfo")?;
    let read_only = match root.is_read_only() {
        true => ", read-only",
        false => "",
    };
    let text = format!(
        "another / ({}{read_only}), {} mounts of its own",
        root.kind,
        mounts.len()
    );
    Ok(vec![Line::new(Mark::Blind, "files", text)])
}

/// Reads `NAME=VALUE`.
pub fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.into(), value.into()))
        }
        _ => Err("write NAME=VALUE".into()),
    }
}
