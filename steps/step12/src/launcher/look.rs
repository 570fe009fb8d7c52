//! Is there a program to be executed? Asked before `create` says that all is
//! well: once the gate is closed nobody listens any more.

use std::path::Path;

use anyhow::{Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, access};
use step00::Command;
use step00::stat::fstatat;

/// Inside, as the user: looks for the program, as execve(2) will.
///
/// # Errors
/// In the words of Go's os/exec, which engines look for.
pub fn look(command: &Command) -> Result<()> {
    let name = command.arguments[0].to_string_lossy().into_owned();
    let mut answer = None;
    for path in command.candidates() {
        match try_one(Path::new(&path)) {
            Ok(()) => return Ok(()),
            // There may be another one in the next folder.
            Err(Errno::ENOENT | Errno::ENOTDIR) if !name.contains('/') => {}
            Err(errno) => answer = answer.or(Some(errno)),
        }
    }
    Err(match answer {
        None => anyhow!("exec: {name:?}: executable file not found in $PATH"),
        Some(errno @ Errno::ENOENT) => {
            anyhow!("exec: {name:?}: stat {name}: {errno}")
        }
        // execve(2) says EACCES; and some engines look for the one, some for
        // the other.
        Some(Errno::EISDIR) => {
            anyhow!("exec: {name:?}: permission denied: it is a directory")
        }
        Some(errno) => anyhow!("exec: {name:?}: {errno}"),
    })
}

fn try_one(path: &Path) -> nix::Result<()> {
    // Older calls than there are: a filter that is on by now may not know
    // statx(2) and faccessat2(2). The real user is the effective one.
    let found = fstatat(AT_FDCWD, path, AtFlags::empty())?;
    if found.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Errno::EISDIR);
    }
    access(path, AccessFlags::X_OK)
}
