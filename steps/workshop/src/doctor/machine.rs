//! The files that describe a machine, below any root folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::utsname::uname;
use step00::Proc;
use step00::proc::Mounts;

use crate::elevate;

/// A machine, or a folder that stands in for one.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    /// The working folder: where the workshop builds and keeps its files.
    pub folder: PathBuf,
    /// What `uname -r` says.
    pub release: String,
    /// What is mounted where, as we see it.
    pub mounts: Mounts,
}

impl Machine {
    /// Takes hold of it.
    ///
    /// # Errors
    /// There is no /proc.
    pub fn open(root: &Path, folder: PathBuf) -> Result<Machine> {
        let mut machine = Machine {
            root: root.to_owned(),
            folder,
            release: String::new(),
            mounts: Mounts::default(),
        };
        let release = machine.read("/proc/sys/kernel/osrelease");
        machine.release = release.with_context(|| {
            let path = machine.path("/proc");
            format!("read {}: is it mounted?", path.display())
        })?;
        machine.mounts = machine.own().mounts().unwrap_or_default();
        Ok(machine)
    }

    /// Is it the one that this program runs on?
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where one of its files is.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Is there such a file, as far as we may see?
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// A file without the end of its last line; `None` if it is not there, or
    /// not for us to read. Some end with a NUL.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(text.trim_end_matches(['\n', '\0']).to_owned())
    }

    /// A file that holds a number.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    /// What its kernel says about ourselves.
    #[must_use]
    pub fn own(&self) -> Proc {
        Proc::below(&self.root, "self")
    }

    /// A field of our own status (proc_pid_status(5)).
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        self.own().status(field).ok()
    }

    /// Is root asking? The second number of `Uid` is the effective one.
    #[must_use]
    pub fn is_root(&self) -> bool {
        let numbers = self.status("Uid").unwrap_or_default();
        numbers.split_whitespace().nth(1) == Some("0")
    }

    /// Are we in the first namespace of this kind, that of the machine? The
    /// kernel always gives it the same number (PROC_*_INIT_INO, proc_ns.h).
    #[must_use]
    pub fn is_first(&self, kind: &str, number: u64) -> bool {
        let name = self.own().namespace(kind);
        name.is_ok_and(|name| name == format!("{kind}:[{number}]"))
    }

    /// The processor, in the kernel's words. The file exists since Linux 6.1.
    #[must_use]
    pub fn processor(&self) -> String {
        let name = self.read("/proc/sys/kernel/arch");
        let asked = || self.is_real().then(uname)?.ok();
        let name = name.or_else(|| {
            Some(asked()?.machine().to_string_lossy().into_owned())
        });
        name.unwrap_or_else(|| "an unknown processor".into())
    }

    /// Version and patch level: `6.1.0-56-cloud-amd64` is (6, 1).
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// A program's path.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        if self.is_real() {
            return elevate::find(program);
        }
        let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
        let mut paths =
            folders.map(|f| self.path(f).join(program)).into_iter();
        paths.find(|path| path.is_file())
    }

    /// The command that installs Debian's packages; elsewhere their names.
    #[must_use]
    pub fn install(&self, packages: &str) -> String {
        let text = self.read("/etc/os-release").unwrap_or_default();
        let is_debian = text.lines().any(|line| {
            let like = line.strip_prefix("ID=");
            let like = like.or_else(|| line.strip_prefix("ID_LIKE="));
            let like = like.unwrap_or_default().replace('"', "");
            like.split(' ').any(|id| matches!(id, "debian" | "ubuntu"))
        });
        match is_debian {
            true => format!("sudo apt install {packages}"),
            false => format!("install what Debian calls {packages}"),
        }
    }
}
