//! A scratch folder for an attempt, which is removed at its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, id};

use anyhow::{Context, Result, ensure};
use step03::rootfs;

/// The folder. The rung may do anything to it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    ///
    /// # Errors
    /// The machine's temporary folder is not writable.
    pub fn new() -> Result<Scratch> {
        let path = std::env::temp_dir().join(format!("workshop-{}", id()));
        let made = fs::create_dir(&path);
        made.with_context(|| format!("make {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// The path of something in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a copy of the root filesystem that `binary` would take into it.
    ///
    /// # Errors
    /// It cannot be made or copied.
    pub fn copy_image(&self, binary: &Path) -> Result<PathBuf> {
        let target = binary.ancestors().nth(2).context("find target")?;
        let image = target.join("rootfs");
        rootfs::ensure(&image)?;
        self.run("cp", &[Path::new("-a"), &image, &self.0])?;
        Ok(self.join("rootfs"))
    }

    /// Puts a copy of a file into it.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn copy(&self, file: &Path, name: &str) -> Result<PathBuf> {
        let copy = self.join(name);
        let parent = copy.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent).context("make a folder")?;
        // Another process copies: while this one held the copy open for
        // writing, execve(2) would answer ETXTBSY.
        self.run("cp", &[Path::new("-a"), file, &copy])?;
        Ok(copy)
    }

    /// Gives all of it to a user.
    ///
    /// # Errors
    /// This is not root.
    pub fn give_to(&self, uid: u32) -> Result<()> {
        let owner = format!("{uid}:{uid}");
        self.run("chown", &[Path::new("-hR"), Path::new(&owner), &self.0])
    }

    fn run(&self, program: &str, arguments: &[&Path]) -> Result<()> {
        let status = Command::new(program).args(arguments).status();
        let status = status.with_context(|| format!("run {program}"))?;
        ensure!(status.success(), "{program} failed");
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It holds nothing but copies.
        let _ = fs::remove_dir_all(&self.0);
    }
}
