//! The files that tell about a machine, below any root folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::utsname::uname;

use crate::elevate;

/// A machine, or a folder that stands in for one.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    /// The working folder: where the workshop builds and keeps its files.
    pub folder: PathBuf,
    /// What `uname -r` says.
    pub release: String,
    /// What is mounted where, in the order of mounting.
    pub mounts: Vec<Mount>,
}

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// Mounted read-only?
    pub is_read_only: bool,
    /// Which kind of filesystem.
    pub kind: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (place, rest) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(4);
        let point = fields.next()?.replace("\\040", " ");
        let mut options = fields.next()?.split(',');
        let kind = rest.split(' ').next()?.to_owned();
        let is_read_only = options.any(|option| option == "ro");
        Some(Mount { point, is_read_only, kind })
    }
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
            mounts: Vec::new(),
        };
        let release = machine.read("/proc/sys/kernel/osrelease");
        machine.release = release.with_context(|| {
            let path = machine.path("/proc");
            format!("read {}: is it mounted?", path.display())
        })?;
        let mounts = machine.read("/proc/self/mountinfo").unwrap_or_default();
        machine.mounts = mounts.lines().filter_map(Mount::parse).collect();
        Ok(machine)
    }

    /// Is it the one that this runs on?
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

    /// A file without the last line's end: `None` where it is not there, or
    /// not for us. Some end with a NUL.
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

    /// A field of our own status (proc_pid_status(5)).
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        let status = self.read("/proc/self/status")?;
        let mut lines = status.lines().filter_map(|l| l.split_once(':'));
        let (_, value) = lines.find(|(name, _)| *name == field)?;
        Some(value.trim().to_owned())
    }

    /// Is root asking? The second number of `Uid` is the effective one.
    #[must_use]
    pub fn is_root(&self) -> bool {
        let numbers = self.status("Uid").unwrap_or_default();
        numbers.split_whitespace().nth(1) == Some("0")
    }

    /// Are we in the first namespace of this kind, that of the machine? The
    /// kernel numbers it always the same (PROC_*_INIT_INO, proc_ns.h).
    #[must_use]
    pub fn is_first(&self, kind: &str, number: u64) -> bool {
        let link = fs::read_link(self.path(&format!("/proc/self/ns/{kind}")));
        link.is_ok_and(|link| link.ends_with(format!("{kind}:[{number}]")))
    }

    /// The processor, in the kernel's words. The file is there since 6.1.
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

    /// What is mounted at this place, if anything.
    #[must_use]
    pub fn mounted(&self, point: &str) -> Option<&Mount> {
        self.mounts.iter().rev().find(|mount| mount.point == point)
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
