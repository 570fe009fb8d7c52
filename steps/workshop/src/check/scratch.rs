//! Scratch folders for an attempt, which are removed at its end.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use nix::unistd::mkdtemp;
use step00::Advice;
use step03::rootfs;

use crate::rootfs::remove::remove;

/// The one in which all others are.
static BASE: OnceLock<PathBuf> = OnceLock::new();

/// The folder. The rung may do anything to it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// The folder of all scratch folders of this program and of those that it
    /// forks, to be removed by the one that has made it: a trial may be killed.
    /// Whom a folder in it is given to can get there.
    ///
    /// # Errors
    /// As for [`Scratch::new`].
    pub fn base() -> Result<Scratch> {
        let base = Scratch::new()?;
        fs::set_permissions(&base.0, Permissions::from_mode(0o711))
            .context("let others through the scratch folder")?;
        let _ = BASE.set(base.0.clone());
        Ok(base)
    }

    /// Makes an empty one.
    ///
    /// # Errors
    /// The machine's temporary folder is not writable.
    pub fn new() -> Result<Scratch> {
        // A name that can be foretold could be taken, or be a link, by the
        // time that we come. mkdtemp(3) makes one up, for its owner alone.
        let folder = BASE.get().cloned().unwrap_or_else(std::env::temp_dir);
        let made = mkdtemp(&folder.join("workshop-check.XXXXXX"));
        let path = made
            .with_context(|| format!("make a folder in {}", folder.display()))
            .advice("set TMPDIR to a folder that you can write to")?;
        Ok(Scratch(path))
    }

    /// The path of something in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a copy of the root filesystem that `binary` would take into it; or,
    /// where it has made none yet, of our own.
    ///
    /// # Errors
    /// It cannot be made or copied.
    pub fn copy_image(&self, binary: &Path) -> Result<PathBuf> {
        let target = binary.ancestors().nth(2).context("find target")?;
        let mut image = target.join("rootfs");
        if !image.is_dir() {
            image = rootfs::default_path()?;
            rootfs::ensure(&image)?;
        }
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
        let _ = remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_take_its_name_or_look_in() -> Result<()> {
        // Who knew the name could be there first.
        let known = format!("workshop-{}", std::process::id());
        let known = std::env::temp_dir().join(known);
        fs::create_dir(&known)?;
        let (one, two) = (Scratch::new(), Scratch::new());
        fs::remove_dir(&known)?;
        let (one, two) = (one?, two?);
        assert_ne!(one.0, two.0);
        for folder in [&one.0, &two.0] {
            let mode = folder.metadata()?.permissions().mode();
            assert_eq!(mode & 0o7777, 0o700);
        }
        let gone = one.0.clone();
        drop(one);
        assert!(!gone.exists() && two.0.exists());
        Ok(())
    }
}
