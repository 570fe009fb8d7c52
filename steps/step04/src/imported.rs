//! Images that `cargo workshop rootfs` has brought in, found by their names.
//!
//! ```text
//! target/images
//! ├── debian              the one tree of an archive
//! ├── nginx               an image in layers:
//! │   ├── 0               … the lowest
//! │   └── 1
//! └── .records
//!     └── nginx.json      where it is from, and what it says of itself
//! ```
//!
//! A record lies outside of the image, whose files are a stranger's. A folder
//! is made before its record and replaced after it, so that an image without a
//! record is the one tree of an archive.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use step03::rootfs;

/// An image in `target/images`.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What it is called there.
    pub name: String,
    /// The folders of its layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// Where it is from, and what it says of itself.
    pub record: Record,
}

/// What is written down of an image.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Record {
    /// What it was fetched by: a registry's name for it, if that was one.
    pub reference: Option<String>,
    /// The digest of its manifest, which is the same everywhere.
    pub digest: Option<String>,
    /// How many layers it has.
    pub layers: usize,
    /// What it says of itself.
    pub config: Configuration,
}

/// What an image says to those who say nothing themselves.
///
/// Source: OCI image specification 1.1, config.md, "config".
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Configuration {
    /// Variables of the command's environment, `NAME=VALUE`.
    pub env: Option<Vec<String>>,
    /// Who runs the command: `USER` or `USER:GROUP`, by name or number.
    pub user: Option<String>,
    /// The folder in which it starts.
    pub working_dir: Option<PathBuf>,
    /// The beginning of the command, whatever is asked for.
    pub entrypoint: Option<Vec<String>>,
    /// The rest of it, if nothing is asked for.
    pub cmd: Option<Vec<String>>,
}

/// Where images lie: `target/images`.
///
/// # Errors
/// See [`rootfs::default_path`].
pub fn folder() -> Result<PathBuf> {
    Ok(rootfs::default_path()?.with_file_name("images"))
}

/// May an image have this name? It is one part of a path that is easy to type,
/// and that nothing takes for an option, a hidden file or a half-made image.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=100).contains(&name.len())
        && name.chars().all(is_plain)
        && !name.starts_with(['.', '-'])
        && !name.contains(".new-")
}

/// The image of this name, or the one that was fetched by it.
///
/// # Errors
/// When what is recorded of it cannot be read.
pub fn find(name: &str) -> Result<Option<Imported>> {
    if is_name(name) && folder()?.join(name).is_dir() {
        return open(name).map(Some);
    }
    // A path is nothing that images are called by.
    if name.starts_with(['.', '/']) {
        return Ok(None);
    }
    let is_meant = |image: &Imported| {
        let reference = image.record.reference.as_deref();
        reference.is_some_and(|it| familiar(it) == familiar(name))
    };
    // Another image's damaged record is not what was asked for.
    let mut images = names()?.into_iter().filter_map(|name| open(&name).ok());
    Ok(images.find(is_meant))
}

/// All images, by name.
///
/// # Errors
/// As [`find`].
pub fn all() -> Result<Vec<Imported>> {
    names()?.iter().map(|name| open(name)).collect()
}

fn names() -> Result<Vec<String>> {
    let folder = folder()?;
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        entries => {
            entries.with_context(|| format!("list {}", folder.display()))?
        }
    };
    let names = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name().into_string().ok()?;
        (is_folder && is_name(&name)).then_some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// The short form of a registry's name for an image, as people type it:
/// `docker.io/library/nginx:latest` is `nginx`.
pub fn familiar(reference: &str) -> &str {
    let reference = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let reference = reference.strip_prefix("library/").unwrap_or(reference);
    reference.strip_suffix(":latest").unwrap_or(reference)
}

fn open(name: &str) -> Result<Imported> {
    let path = folder()?.join(name);
    let Some(record) = Record::read(name)? else {
        let (layers, record) = (vec![path], Record::default());
        return Ok(Imported { name: name.into(), layers, record });
    };
    let layers = (0..record.layers).map(|number| {
        let layer = path.join(number.to_string());
        // A stranger's link would lead to the machine's own files.
        let found = layer.symlink_metadata();
        ensure!(
            found.is_ok_and(|found| found.is_dir()),
            "find layer {number} of the image {name}; import it anew"
        );
        Ok(layer)
    });
    let layers = layers.collect::<Result<_>>()?;
    Ok(Imported { name: name.into(), layers, record })
}

impl Record {
    fn path(name: &str) -> Result<PathBuf> {
        Ok(folder()?.join(".records").join(format!("{name}.json")))
    }

    fn read(name: &str) -> Result<Option<Record>> {
        let path = Record::path(name)?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            text => text,
        };
        let read = || Ok::<_, anyhow::Error>(serde_json::from_str(&text?)?);
        read().map(Some).with_context(|| {
            let path = path.display();
            format!("read {path}; import the image {name} anew")
        })
    }

    /// Writes it down for the image of that name, in place of an earlier one.
    ///
    /// # Errors
    /// As for mkdir(2), write(2) and rename(2).
    pub fn write(&self, name: &str) -> Result<()> {
        let path = Record::path(name)?;
        let new = path.with_extension("new");
        let folder = path.parent().unwrap_or(Path::new("/"));
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&new, text))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))
    }

    /// Removes what is recorded for the image of that name, if anything is.
    ///
    /// # Errors
    /// As for unlink(2).
    pub fn remove(name: &str) -> Result<()> {
        let path = Record::path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => {
                removed.with_context(|| format!("remove {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_name_has_a_short_form() {
        for long in ["docker.io/library/nginx:latest", "nginx:latest"] {
            assert_eq!(familiar(long), "nginx");
        }
        let others = ["nginx:1.25", "quay.io/nginx", "library.org/nginx"];
        assert!(others.iter().all(|name| familiar(name) == *name));
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for name in ["nginx", "Debian-12", "a.b_c"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "-x", "a/b", "a b", "x.new-1", "ü"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
