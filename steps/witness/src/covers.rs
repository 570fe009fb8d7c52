//! A test's own files in place of the machine's, which no other process sees.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::Folder;

/// A mount namespace for the calling thread alone. What the thread starts sees
/// the machine's files with these covers over them, until this is dropped.
pub struct Covers {
    machines: File,
    folder: Folder,
    count: Cell<u32>,
}

impl Covers {
    /// A view without any cover yet.
    ///
    /// # Panics
    /// When the test does not run as root.
    #[expect(clippy::new_without_default, reason = "it changes the thread")]
    pub fn new() -> Covers {
        let machines = File::open("/proc/thread-self/ns/mnt");
        let machines = machines.expect("find this thread's mounts");
        let folder = Folder::new();
        unshare(CloneFlags::CLONE_NEWNS).expect("a test needs root");
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
            .expect("make every mount private");
        Covers { machines, folder, count: Cell::new(0) }
    }

    /// Shows a file with this text at `path`. Where the machine has no such
    /// file, `path` must be below /run, which is empty from then on.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn cover(&self, path: &str, text: &str) {
        let source = self.folder.join(&self.count.get().to_string());
        self.count.set(self.count.get() + 1);
        fs::write(&source, text).expect("write a cover");
        if !Path::new(path).exists() {
            make_in_run(Path::new(path));
        }
        bind(&source, Path::new(path));
    }
}

impl Drop for Covers {
    fn drop(&mut self) {
        let back = setns(&self.machines, CloneFlags::CLONE_NEWNS);
        back.expect("go back to the machine's mounts");
    }
}

fn make_in_run(path: &Path) {
    assert!(path.starts_with("/run"), "{} is missing", path.display());
    let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
    mount(kind, "/run", kind, flags, None::<&str>).expect("cover /run");
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("make a folder in /run");
    File::create(path).expect("make a file in /run");
}

fn bind(source: &Path, target: &Path) {
    let (none, flags) = (None::<&str>, MsFlags::MS_BIND);
    mount(Some(source), target, none, flags, none)
        .unwrap_or_else(|error| panic!("cover {}: {error}", target.display()));
}
