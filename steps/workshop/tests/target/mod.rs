//! A target folder of its own for one test, with the real binary in it.
//!
//! The companion works in the folder above the one that it lies in, so a copy
//! in `TARGET/debug/` works in `TARGET`. It is gone when the test ends.

#![allow(dead_code)]

pub mod layout;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tar::{Builder, EntryType, Header};

/// A target folder; see above.
pub struct Target(pub PathBuf);

impl Target {
    /// Makes a new one.
    pub fn new() -> Result<Self> {
        // Tests run as root: nobody is to know where, and be there first.
        let path = std::env::temp_dir().join("workshop-test.XXXXXX");
        let target = Self(nix::unistd::mkdtemp(&path)?);
        fs::create_dir(target.0.join("debug"))?;
        fs::set_permissions(&target.0, Permissions::from_mode(0o755))?;
        // A process of its own copies: would this one hold the copy open for
        // writing while another thread forks, exec would find it "busy".
        let mut copy = witness::command("cp");
        copy.arg(env!("CARGO_BIN_EXE_workshop")).arg(target.binary());
        ensure!(copy.status()?.success(), "cp failed");
        Ok(target)
    }

    /// The companion's copy.
    pub fn binary(&self) -> PathBuf {
        self.0.join("debug/workshop")
    }

    /// A path in the target folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The companion, with the target folder as its working directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command.args(arguments).current_dir(&self.0);
        // The tests serve on 127.0.0.1, where no proxy should look.
        command.env("no_proxy", "*").env_remove("RUST_BACKTRACE");
        // The containers on record on this machine are none of ours.
        command.env("WORKSHOP_RUN", self.path("run"));
        command.env("XDG_RUNTIME_DIR", self.path("own"));
        command
    }

    /// Runs it and returns its stdout. Anything but success is an error.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        output_of(witness::output(&mut self.command(arguments)))
    }

    /// Runs it, wants exit status 1 and returns its stderr.
    pub fn fail(&self, arguments: &[&str]) -> Result<String> {
        let output = witness::output(&mut self.command(arguments));
        let words = String::from_utf8(output.stderr)?;
        ensure!(
            output.status.code() == Some(1),
            "{:?} {words}",
            output.status
        );
        ensure!(!words.contains("panicked"), "it panicked: {words}");
        Ok(words)
    }

    /// What is in `target/images`, half-made things included, and without what
    /// is written down of them.
    pub fn images(&self) -> Result<Vec<String>> {
        let mut names = names(&self.path("images"))?;
        names.retain(|name| name != ".records");
        Ok(names)
    }

    /// What is written down of an image.
    pub fn record(&self, image: &str) -> Result<serde_json::Value> {
        let file = self.path(&format!("images/.records/{image}.json"));
        Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Some tests leave directories that their owner cannot enter.
        let _ = witness::command("chmod")
            .args(["-R", "u+rwx"])
            .arg(&self.0)
            .output();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The stdout of a program that succeeded.
pub fn output_of(output: Output) -> Result<String> {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{:?}: {words}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The sorted names in a folder, none where there is no folder.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| {
        let name = entry?.file_name().into_string();
        name.ok().context("a name that is no text")
    });
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// An entry for [`tar_of`]: (type, name, contents or target of a link).
pub type Line<'a> = (EntryType, &'a str, &'a str);

/// Writes exactly what it is told, even what no honest program would write.
pub fn tar_of(lines: &[Line<'_>]) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, text) in lines {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(if *kind == EntryType::Directory {
            0o755
        } else {
            0o644
        });
        header.set_mtime(86_400);
        // set_path() would refuse what these tests are about.
        header.as_old_mut().name[..name.len()]
            .copy_from_slice(name.as_bytes());
        let link = matches!(kind, EntryType::Link | EntryType::Symlink);
        let contents = if link { "" } else { *text };
        if link {
            header.as_old_mut().linkname[..text.len()]
                .copy_from_slice(text.as_bytes());
        }
        header.set_size(u64::try_from(contents.len())?);
        header.set_cksum();
        tar.append(&header, contents.as_bytes())?;
    }
    Ok(tar.into_inner()?)
}

/// The mode bits of a path, a link itself included.
pub fn mode(path: &Path) -> Result<u32> {
    let metadata = path.symlink_metadata();
    let metadata = metadata.with_context(|| path.display().to_string())?;
    Ok(metadata.permissions().mode() & 0o7777)
}
