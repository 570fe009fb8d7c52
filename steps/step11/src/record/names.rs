//! The names of folders, which are those of containers.

use std::collections::HashSet;
use std::os::fd::RawFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use step00::folder::Folder;
use step00::{Advice, Proc};

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
    let taken: HashSet<String> =
        base.names().unwrap_or_default().into_iter().collect();
    let mut names = (1..).map(|number| format!("box{number}"));
    names.find(|name| !taken.contains(name)).expect("numbers do not end")
}

/// What the folder with this lock is called now, which is open under this
/// number: it may have got another name. The kernel knows the path of an open
/// file, whatever became of that (proc_pid_fd(5)); and as it is only a word,
/// the file there is looked at.
pub(super) fn name_of(
    base: &Folder,
    lock: RawFd,
    lock_file: u64,
) -> Option<String> {
    let path = Proc::own().link(&format!("fd/{lock}")).ok()?;
    let folder = Path::new(&path).parent()?;
    let name = folder.file_name()?.to_str()?.to_owned();
    let found = base.open(&name).ok()?.look("lock").ok()?;
    (found.st_ino == lock_file).then_some(name)
}
