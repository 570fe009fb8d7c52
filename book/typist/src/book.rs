//! Where the book is, and which pages it has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder of the repository that this program was built in.
pub fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("book/typist is in it").to_owned()
}

/// The folder of the pages.
pub fn pages_folder() -> PathBuf {
    repository().join("book/src")
}

/// A page: its name below the folder, such as `steps/step03.md`, and its text.
pub struct Page {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// All pages, in the order of their names.
///
/// # Errors
/// When one cannot be read.
pub fn pages() -> Result<Vec<Page>> {
    let folder = pages_folder();
    let files = files(&folder, "md")?;
    files.iter().map(|path| read(&folder, path)).collect()
}

/// Every file below a folder whose name ends with `.extension`, in the order
/// of their names.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next)
            .with_context(|| format!("look into {}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|its| its == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(folder: &Path, path: &Path) -> Result<Page> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("read {}", path.display()))?;
    let name = path.strip_prefix(folder)?.display().to_string();
    Ok(Page { name, text })
}
