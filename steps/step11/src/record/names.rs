//! The names of folders, which are those of containers.

use anyhow::{Context, Result, anyhow};
use step00::Advice;
use step00::folder::Folder;

use crate::folder::mutex;

/// Gives it another name, whether it runs or not: its launcher has a descriptor
/// of its folder, and asks for no name.
///
/// # Errors
/// When that one is in use.
pub fn rename(old: &str, new: &str) -> Result<()> {
    let (base, _mutex) = mutex()?;
    if base.has(new) {
        return Err(anyhow!("rename {old}: the name {new} is in use"))
            .advice("another one; step11 ps -a lists them");
    }
    base.rename(old, new).with_context(|| format!("rename {old} to {new}"))
}

/// The first of box1, box2 … that nobody has.
pub(super) fn free_name(base: &Folder) -> String {
    let mut number = 1;
    while base.has(&format!("box{number}")) {
        number += 1;
    }
    format!("box{number}")
}

/// What the folder with this lock is called now.
pub(super) fn name_of(
    base: &Folder,
    lock_file: libc::ino_t,
) -> Option<String> {
    let is_its = |name: &String| {
        let found = base.open(name).ok().and_then(|own| own.look("lock").ok());
        found.is_some_and(|found| found.st_ino == lock_file)
    };
    base.names().ok()?.into_iter().find(is_its)
}
