//! A root filesystem of the host's own programs, each with its libraries.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::name_of;
use super::programs::{copy, find_program};

/// What the workshop's chapters and a curious learner type. A name that the
/// host does not have is left out, except the first two.
const PROGRAMS: &[&str] = &[
    "sh", "ls", "awk", "base64", "basename", "bash", "cat", "chgrp", "chmod",
    "chown", "clear", "cp", "cut", "date", "dd", "df", "dirname", "dmesg",
    "du", "echo", "env", "expr", "false", "find", "free", "getent", "grep",
    "head", "hostname", "id", "ip", "ipcmk", "ipcs", "kill", "less", "ln",
    "lsns", "mkdir", "mkfifo", "mknod", "mktemp", "mount", "mv", "nc",
    "nproc", "nsenter", "ping", "printenv", "printf", "ps", "pwd", "readlink",
    "realpath", "rm", "rmdir", "sed", "seq", "sleep", "sort", "stat", "stty",
    "sync", "tail", "tee", "test", "timeout", "top", "touch", "tr", "true",
    "truncate", "tty", "umount", "uname", "uniq", "unshare", "uptime", "wc",
    "whoami", "xargs", "yes",
];

/// How `top`, `less` and `clear` learn to move the cursor (terminfo(5)).
const TERMINALS: [&str; 6] = [
    "l/linux",
    "s/screen-256color",
    "t/tmux-256color",
    "v/vt100",
    "x/xterm",
    "x/xterm-256color",
];

/// Copies the programs and what they need to `root`.
pub(super) fn install(root: &Path) -> Result<()> {
    let found: Vec<_> = PROGRAMS
        .iter()
        .filter_map(|name| Some((*name, find_program(name)?)))
        .collect();
    for needed in &PROGRAMS[..2] {
        ensure!(
            found.iter().any(|(name, _)| name == needed),
            "find {needed} in PATH as an ELF program: install busybox-static"
        );
    }
    let mut copies = HashMap::new();
    for (name, program) in &found {
        let target = root.join("usr/bin").join(name);
        // Several names may be one file (coreutils on some distributions): a
        // second name is a hard link then, not a second copy.
        match copies.get(&program.canonicalize()?) {
            Some(first) => fs::hard_link(first, &target)
                .with_context(|| format!("link {}", target.display()))?,
            None => {
                copy(program, &target)?;
                copies.insert(program.canonicalize()?, target);
            }
        }
    }
    let programs: Vec<_> = found.into_iter().map(|(_, path)| path).collect();
    install_libraries(root, &programs)?;
    install_terminals(root)
}

/// Each library goes to the very path that the dynamic loader will open.
fn install_libraries(root: &Path, programs: &[PathBuf]) -> Result<()> {
    let mut libraries = libraries_of(programs)?;
    // Before glibc 2.34 these are opened by name at run time, to look up users
    // and hosts, so that ldd cannot know of them. They lie beside libc.
    let libc = libraries.iter().find(|file| name_of(file) == "libc.so.6");
    let mut others = match libc {
        Some(libc) => {
            ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"]
                .map(|name| libc.with_file_name(name))
                .to_vec()
        }
        None => Vec::new(),
    };
    // The loader's index of what lies outside its usual folders (ldconfig).
    others.push("/etc/ld.so.cache".into());
    libraries.extend(others.into_iter().filter(|file| file.exists()));
    for library in libraries {
        copy(&library, &root.join(library.strip_prefix("/")?))?;
    }
    Ok(())
}

/// Asks the dynamic loader itself, through ldd(1), what it would load: the
/// libraries, and last itself, the program that the kernel starts first.
fn libraries_of(programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("ldd")
        .args(programs)
        // cargo sets LD_LIBRARY_PATH; inside it will not be there to be used.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .output()
        .context("run ldd to learn which libraries to copy: install it")?;
    let list = String::from_utf8_lossy(&output.stdout);
    // `name => /path (0x…)` or `/path (0x…)`; the name of each program ends in
    // a colon, and the kernel's vdso has no path.
    let paths = list.split_whitespace().filter(|word| word.starts_with('/'));
    let paths = paths.filter(|word| !word.ends_with(':'));
    Ok(paths.map(PathBuf::from).filter(|path| path.exists()).collect())
}

/// Without a description of the terminal only `top` and `clear` do not work.
fn install_terminals(root: &Path) -> Result<()> {
    let places = ["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"];
    for terminal in TERMINALS {
        let files = places.map(|place| Path::new(place).join(terminal));
        if let Some(file) = files.iter().find(|file| file.exists()) {
            copy(file, &root.join("usr/share/terminfo").join(terminal))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chroot;
    use std::os::unix::process::CommandExt;

    use super::super::layout;
    use super::*;

    /// As all tests of this rung it needs root.
    #[test]
    fn the_machines_programs_run_with_what_was_copied() {
        let folder = witness::Folder::new();
        let root = folder.join("root");
        layout::make(&root).expect("make the folders");
        install(&root).expect("copy the programs");
        let inside = root.clone();
        let mut shell = Command::new("/usr/bin/sh");
        shell.args(["-c", "cd / && ls -d /etc/passwd"]);
        shell.env_clear().env("PATH", "/usr/bin");
        // SAFETY: between fork and exec there is one system call, with a path
        // that is short enough for the stack: nothing allocates.
        unsafe { shell.pre_exec(move || chroot(&inside)) };
        let output = witness::output(&mut shell);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "/etc/passwd\n", "{output:?}");
        let sh = find_program("sh").expect("a shell");
        let libraries = libraries_of(&[sh]).expect("ask the loader");
        for library in &libraries {
            let copied = root.join(library.strip_prefix("/").expect("a path"));
            assert!(copied.is_file(), "{}", copied.display());
        }
        for terminal in TERMINALS {
            let usual = Path::new("/usr/share/terminfo").join(terminal);
            let copied = root.join("usr/share/terminfo").join(terminal);
            assert!(copied.is_file() || !usual.exists(), "{terminal}");
        }
    }
}
