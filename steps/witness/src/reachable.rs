//! A program that any user of the machine may start.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::{Folder, command, output};

/// A copy of a program in a folder that all may walk through, removed when
/// this is dropped.
///
/// What cargo has built lies in the home of whoever built it, and that is
/// closed to others on many machines (mode 0700): to another user, and to
/// the root of a user namespace, who has no power over a stranger's folder
/// (`user_namespaces(7)`).
#[derive(Debug)]
pub struct Reachable {
    folder: Folder,
    path: PathBuf,
}

impl Reachable {
    /// Copies this program.
    ///
    /// # Panics
    /// When it cannot, or programs may not be executed in any of the machine's
    /// temporary folders.
    pub fn new(program: &str) -> Reachable {
        let folder = Folder::below(&place());
        let open_to_walk = Permissions::from_mode(0o711);
        std::fs::set_permissions(folder.path(), open_to_walk)
            .expect("set its mode");
        let name = Path::new(program).file_name().expect("a name");
        let path = folder.path().join(name);
        // By another process: would this one hold the copy open for writing
        // while a thread forks, the child would hold it until its execve(2),
        // and whoever starts it meanwhile would get ETXTBSY.
        let mut cp = command("cp");
        let copied = output(cp.arg(program).arg(&path));
        assert!(copied.status.success(), "copy {program}: {copied:?}");
        let mode = Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("set its mode");
        Reachable { folder, path }
    }

    /// A path in the same folder. (A rung looks for its image there.)
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where it is, for a command line.
    ///
    /// # Panics
    /// Never: the path is made of plain letters.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a plain path")
    }
}

/// A temporary folder that was not mounted with `noexec`.
fn place() -> PathBuf {
    let all = [std::env::temp_dir(), "/var/tmp".into(), "/run".into()];
    let takes_programs = |folder: &&PathBuf| {
        statvfs(*folder)
            .is_ok_and(|disk| !disk.flags().contains(FsFlags::ST_NOEXEC))
    };
    let found = all.iter().find(takes_programs).cloned();
    found.expect("/tmp, /var/tmp or /run without noexec")
}
