//! `workshop reset N`: the untouched exercise. What was there is kept.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::ladder::{Repository, Rung, Which};
use crate::learn::half::is_as_it_came;
use crate::learn::progress::Progress;

/// The flags of `workshop reset`.
#[derive(Debug, Args)]
pub struct Reset {
    /// The rung: 3 or step03
    #[arg(value_name = "N")]
    rung: Which,
}

/// Brings it back, and forgets which hints were given.
///
/// # Errors
/// The folder is not writable. Then nothing has been lost.
pub fn run(
    args: &Reset,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<()> {
    let rung = args.rung.0;
    let kept = replace(rung, repository, rung.untouched)?;
    let mut progress = Progress::load(repository)?;
    progress.forget(rung);
    progress.save()?;

    writeln!(out, "{} is as it came", rung.exercise().display())?;
    if let Some(kept) = kept {
        writeln!(out, "yours is kept in {}", kept.display())?;
    }
    Ok(())
}

/// Puts this text into the exercise's place, whole or not at all. What the
/// learner had written is kept in another file, whose name is returned.
///
/// # Errors
/// The folder is not writable. Then nothing has been lost.
pub fn replace(
    rung: &Rung,
    repository: &Repository,
    text: &str,
) -> Result<Option<PathBuf>> {
    let shown = rung.exercise();
    let path = repository.0.join(&shown);
    let is_own = |own: &[u8]| match std::str::from_utf8(own) {
        Ok(own) => !is_as_it_came(rung, own),
        Err(_) => true,
    };
    let kept = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Ok(own) if !is_own(&own) => None,
        own => {
            let own =
                own.with_context(|| format!("read {}", path.display()))?;
            Some(keep(&path, &own)?)
        }
    };
    let new = path.with_extension("rs.new");
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &path))
        .with_context(|| format!("write {}", path.display()))?;
    let name = kept.and_then(|kept| Some(kept.file_name()?.to_owned()));
    Ok(name.map(|name| shown.with_file_name(name)))
}

/// Moves the learner's file aside, to the first name that is free. Git and
/// cargo ignore it.
fn keep(path: &Path, own: &[u8]) -> Result<PathBuf> {
    for number in 1.. {
        let kept = path.with_extension(format!("kept-{number}.rs"));
        match OpenOptions::new().write(true).create_new(true).open(&kept) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            made => made
                .and_then(|mut file| file.write_all(own))
                .with_context(|| format!("write {}", kept.display()))?,
        }
        return Ok(kept);
    }
    unreachable!("there is always another number")
}
