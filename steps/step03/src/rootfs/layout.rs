//! The directories, links and small files that every program expects.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

/// `/bin` and its kin are links into `/usr` (see [`LINKS`]); `proc`, `sys` and
/// `dev` are empty, for the kernel's own views are mounted on them. `/root` is
/// open to all: its owner outside is the learner, and root inside may be
/// mapped to another user.
const DIRECTORIES: [&str; 17] = [
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/share",
    "etc",
    "dev",
    "proc",
    "sys",
    "run",
    "var/log",
    "home",
    "root",
    "mnt",
    "opt",
    "srv",
    "tmp",
    "var/tmp",
];

/// Everyone may write here, and with the sticky bit only owners may delete.
const SHARED: [&str; 2] = ["tmp", "var/tmp"];

/// (target, link): one real `usr/bin`, reached by every path that scripts and
/// ELF files have ever used for it. The targets are relative, so the links
/// mean the same from inside and from outside.
const LINKS: [(&str, &str); 5] = [
    ("usr/bin", "bin"),
    ("usr/bin", "sbin"),
    ("usr/lib", "lib"),
    ("usr/lib64", "lib64"),
    ("bin", "usr/sbin"),
];

/// `os-release` names a distribution that no host runs: with `uname -r` beside
/// it the learner sees that files are the container's own and the kernel is
/// not. The last ones are for step05 to mount its own on.
const FILES: [(&str, &str); 8] = [
    (
        "etc/os-release",
        "NAME=\"Blindfolds Linux\"\n\
         PRETTY_NAME=\"Blindfolds Linux (made by the workshop)\"\n\
         ID=blindfolds\n\
         VERSION_ID=1\n",
    ),
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         nobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    // glibc asks the services named here; with the file missing it would try
    // some that this directory does not hold.
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("etc/profile", "export PATH=/usr/bin:/bin:/usr/sbin:/sbin\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/hostname", ""),
    ("etc/resolv.conf", ""),
];

/// Makes `root`, which must not exist yet, and everything in it but programs.
pub(super) fn make(root: &Path) -> Result<()> {
    fs::create_dir(root)
        .with_context(|| format!("make the directory {}", root.display()))?;
    for name in DIRECTORIES {
        make_directory(&root.join(name))?;
    }
    for name in SHARED {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o1777))
            .with_context(|| format!("open {name} to all"))?;
    }
    for (target, link) in LINKS {
        make_link(target, &root.join(link))?;
    }
    for (name, text) in FILES {
        let file = root.join(name);
        fs::write(&file, text)
            .with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// Makes a directory, and those above it.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("make the directory {}", path.display()))
}

pub(super) fn make_link(target: &str, link: &Path) -> Result<()> {
    symlink(target, link)
        .with_context(|| format!("make the link {}", link.display()))
}
