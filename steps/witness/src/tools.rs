//! The programs with which tests try and look, wherever the machine has them.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps what an administrator runs. Root's PATH leads there, an
/// ordinary user's does not, and sudo(8) may hand on the one or the other.
const ROOTS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The packages of Debian that have what not every machine has.
const PACKAGES: &[(&str, &str)] = &[
    ("apparmor_parser", "apparmor"),
    ("bwrap", "bubblewrap"),
    ("busybox", "busybox-static"),
    ("chcon", "coreutils"),
    ("flock", "util-linux"),
    ("ip", "iproute2"),
    ("ipcrm", "util-linux"),
    ("mke2fs", "e2fsprogs"),
    ("newgidmap", "uidmap"),
    ("newuidmap", "uidmap"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("ping", "iputils-ping"),
    ("ps", "procps"),
    ("runc", "runc"),
    ("runuser", "util-linux"),
    ("secilc", "secilc"),
    ("setpriv", "util-linux"),
    ("strace", "strace"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];

/// A command that runs `program`, and finds what root's PATH leads to whatever
/// PATH the test was given. So do the scripts in it.
///
/// # Panics
/// When the machine has no such program, with the package that has it.
pub fn command(program: &str) -> Command {
    let found = find(program).unwrap_or_else(|| panic!("{}", lack(program)));
    let mut command = Command::new(found);
    command.env("PATH", path());
    command
}

/// Where a program is; `None` when it is nowhere. What has a `/` in it is
/// taken as it is.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    let path = path();
    let files = env::split_paths(&path).map(|folder| folder.join(program));
    files.into_iter().find(|file| is_program(file))
}

/// The same, for a program that a test needs and does not start by itself.
///
/// # Panics
/// As [`command`].
pub fn need(program: &str) {
    assert!(find(program).is_some(), "{}", lack(program));
}

fn path() -> String {
    let own = env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    [&[own.as_str()], &ROOTS[..]].concat().join(":")
}

fn is_program(file: &Path) -> bool {
    let is_executable = |mode: u32| mode & 0o111 != 0;
    file.metadata().is_ok_and(|found| {
        found.is_file() && is_executable(found.permissions().mode())
    })
}

fn lack(program: &str) -> String {
    let known = PACKAGES.iter().find(|(name, _)| *name == program);
    let package = known.map_or(program, |(_, package)| *package);
    format!("{program} is missing: apt install {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        assert_eq!(lack("nft"), "nft is missing: apt install nftables");
        assert_eq!(lack("socat"), "socat is missing: apt install socat");
        assert_eq!(find("no-such-program"), None);
    }

    #[test]
    fn what_only_roots_path_leads_to_is_found() {
        let path = path();
        let mut folders = env::split_paths(&path);
        assert!(folders.any(|folder| folder == Path::new("/usr/sbin")));
        // The control: a program that every Debian keeps there.
        assert!(find("ldconfig").is_some());
        assert_eq!(find("/no/such"), Some("/no/such".into()));
    }
}
