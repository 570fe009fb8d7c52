//! Copies one's own progress file into the folder of a class, whole or not at
//! all, and over nobody else's.
//!
//! In a classroom all may be `vagrant`, each on a machine of their own: names
//! and user numbers do not tell learners apart. So the first time a number is
//! drawn, which stands in the file from then on.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use nix::unistd::{User, getuid};
use step00::Advice;

use super::gather::read_own;
use crate::ladder::Repository;
use crate::learn::progress::Progress;
use crate::text::{printable, quoted, shown};

/// A name that every file system takes, with its ending.
const LONGEST: usize = 64;

/// Hands in.
///
/// # Errors
/// The folder is not writable, or the name is somebody else's by now.
pub(super) fn run(
    folder: &Path,
    name: Option<&str>,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => own_name()?,
    };
    check_name(&name)?;
    let mut progress = Progress::load(repository)?;
    if progress.learner.is_none() {
        progress.learner = Some(draw()?);
        progress.save()?;
    }
    let path = folder.join(format!("{name}.json"));
    is_ours(&path, &progress)
        .with_context(|| format!("hand in as {}", quoted(&name)))
        .advice(
            "--as NAME; or remove it there, if it is your own from before",
        )?;
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write(&new, &path, &progress.text()?);
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.with_context(|| format!("write {}", shown(&path)))?;
    Ok(writeln!(out, "handed in: {}", shown(&path))?)
}

/// As the machine calls whoever types this.
fn own_name() -> Result<String> {
    let user = User::from_uid(getuid()).context("ask for your name")?;
    let name = user.map(|user| user.name).context("find your name");
    name.advice("say it: --as NAME")
}

fn check_name(name: &str) -> Result<()> {
    let is_plain = !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('.')
        && !name.contains('/')
        && printable(name) == name;
    ensure!(
        is_plain,
        "{} is no name to hand in under: at most {LONGEST} letters, no / in \
         it, and no dot at its beginning",
        quoted(name)
    );
    Ok(())
}

/// A number that nobody else draws.
fn draw() -> Result<String> {
    let mut bytes = [0; 8];
    let mut file = fs::File::open("/dev/urandom").context("draw a number")?;
    std::io::Read::read_exact(&mut file, &mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Is there nothing under this name yet, or what we have handed in?
fn is_ours(path: &Path, own: &Progress) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.context("look at what is there")?,
    };
    let there = read_own(path).map_err(|error| {
        anyhow!("{} is none of yours: {error}", shown(path))
    })?;
    ensure!(
        there.learner == own.learner,
        "{} is somebody else's",
        shown(path)
    );
    Ok(())
}

fn write(new: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    // O_EXCL: not through a link that waits under this name.
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}
