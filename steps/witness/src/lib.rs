//! The witness: what the tests use to look at a container from outside.
//!
//! It believes nothing that a rung prints about itself. It starts the real
//! binary, finds the process that was made, and reads in /proc and /sys what
//! the kernel says about it.
//!
//! - [`run`] runs a rung to its end: [`Report`].
//! - [`start`] starts one and keeps it: [`Running`], with its process's PID.
//! - [`Machine`] compares the machine before and after. Every test holds one:
//!   tests of one binary take turns, and each leaves nothing behind.
//! - [`Folder`] is a temporary folder, [`Reachable`] a copy of a program that
//!   any user may start, [`command`] finds the machine's own programs.
//! - [`eventually`] waits for a fact, [`output`] and [`wait`] for an end, and
//!   [`Watch`] sees to it that no test waits without one.
//! - [`Covers`] puts files of a test's own in place of the machine's.
//! - [`mounts`] lists what a process has mounted, [`mount_at`] one of them.
//! - [`process`] asks about any process by its number.
//! - [`terminal`] plays the person in front of a terminal.

mod covers;
mod machine;
mod mounts;
pub mod process;
mod reachable;
mod running;
pub mod selinux;
pub mod shape;
pub mod terminal;
mod tools;
mod watch;

pub use covers::Covers;
pub use machine::{Machine, claims_here as claims};
pub use mounts::{Mount, mount_at, mounts};
pub use reachable::Reachable;
pub use running::{Report, Running, output, run, run_in, start, wait};
pub use tools::{command, find, need};
pub use watch::{Watch, patience, within};

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Waits until `is_true`, and fails the test if it never is.
///
/// # Panics
/// When it has waited for [`patience`], naming what it waited for.
pub fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let (start, patience) = (Instant::now(), patience());
    within(what, || {
        while !is_true() {
            if start.elapsed() >= patience {
                watch::in_vain(&format!("waited in vain for: {what}"));
                panic!("waited in vain for: {what}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
}

/// The namespace of a kind (`uts`, `pid`, `mnt` …) that a process is in, as
/// the kernel names it: `uts:[4026531838]`.
///
/// # Panics
/// When there is no such process, or we may not look at it.
pub fn namespace(pid: impl std::fmt::Display, kind: &str) -> String {
    let link = format!("/proc/{pid}/ns/{kind}");
    let target = std::fs::read_link(&link);
    target
        .unwrap_or_else(|error| panic!("{link}: {error}"))
        .display()
        .to_string()
}

/// A temporary folder, removed when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one, mode 0755, in the machine's temporary folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[expect(clippy::new_without_default, reason = "it is made on the disk")]
    pub fn new() -> Folder {
        Folder::below(&std::env::temp_dir())
    }

    /// The same in another folder, which is made if it is missing.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn below(parent: &Path) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        std::fs::create_dir_all(parent).expect("make the folder above");
        let pid = std::process::id();
        let path = loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("witness-{pid}-{count}"));
            match std::fs::create_dir(&path) {
                // A test in another PID namespace may have our number.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                made => made.expect("make a temporary folder"),
            }
            break path;
        };
        let open_to_all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, open_to_all).expect("set its mode");
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The same, as text for a command line.
    ///
    /// # Panics
    /// Never: the path is made of plain letters.
    pub fn text(&self, name: &str) -> String {
        self.join(name).to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        if let (Err(error), false) = (removed, std::thread::panicking()) {
            panic!("remove {}: {error}", self.0.display());
        }
    }
}
