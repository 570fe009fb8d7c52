//! A root filesystem with no download.
//!
//! A container's root is a directory with programs in it, and the kernel does
//! not care where they came from. This file makes one out of what the machine
//! already has: a static busybox, one file that is three hundred commands; or,
//! where there is none, the host's own `sh`, `ls`, `ps` … each with the
//! libraries that it loads.
//!
//! Interface: [`default_path`] says where it belongs, [`ensure()`] makes it
//! there on first need, [`make`] makes it anywhere from a [`Source`] of your
//! choice.
//!
//! What is promised: the directory is there whole or not at all, also after
//! SIGKILL and with many makers at once; its modes do not depend on the umask;
//! under sudo it belongs to the person behind sudo.
//! What is not: that it holds more than a shell and the usual small tools.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};
use std::{env, fmt};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, geteuid};

/// Directories and their modes. `/bin` and its kin are links into `/usr` (see
/// [`LINKS`]); `proc`, `sys` and `dev` are empty, for the kernel's own views
/// are mounted on them. `/root` is open to all: its owner outside is the
/// learner, and root inside may be mapped to somebody else.
const DIRECTORIES: &[(&str, u32)] = &[
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/lib64", 0o755),
    ("usr/share", 0o755),
    ("etc", 0o755),
    ("dev", 0o755),
    ("proc", 0o755),
    ("sys", 0o755),
    ("run", 0o755),
    ("var", 0o755),
    ("var/log", 0o755),
    ("home", 0o755),
    ("root", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("srv", 0o755),
    // The sticky bit: everyone may write here, only owners may delete.
    ("tmp", 0o1777),
    ("var/tmp", 0o1777),
];

/// (target, link): one real `usr/bin`, reached by every path that scripts and
/// ELF files have ever used for it. The targets are relative, so the links
/// mean the same from inside and from outside.
const LINKS: &[(&str, &str)] = &[
    ("usr/bin", "bin"),
    ("usr/bin", "sbin"),
    ("usr/lib", "lib"),
    ("usr/lib64", "lib64"),
    ("bin", "usr/sbin"),
];

/// Small files. `os-release` names a distribution that no host runs: with
/// `uname -r` beside it the learner sees that files are the container's own
/// and the kernel is not. The last ones are for step05 to mount its own on.
const FILES: &[(&str, &str)] = &[
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
const TERMINALS: &[&str] = &[
    "l/linux",
    "s/screen-256color",
    "t/tmux-256color",
    "v/vt100",
    "x/xterm",
    "x/xterm-256color",
];

/// What a root filesystem is made from.
#[derive(Clone, Debug)]
pub enum Source {
    /// This statically linked busybox, with a link for each of its commands.
    Busybox(PathBuf),
    /// The host's own programs with the libraries that they need.
    Host,
}

impl Source {
    /// The first static busybox on this machine, else the host's programs.
    ///
    /// A busybox that does not run (made for another processor) is passed
    /// over like one that is missing.
    #[must_use]
    pub fn find() -> Self {
        let names = ["busybox", "busybox.static", "busybox-static"];
        places()
            .iter()
            .flat_map(|place| names.map(|name| place.join(name)))
            .find(|file| is_static(file) && applets(file).is_ok())
            .map_or(Self::Host, Self::Busybox)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busybox(file) => {
                write!(f, "the static busybox {}", file.display())
            }
            Self::Host => write!(f, "this machine's own programs"),
        }
    }
}

/// Where the workshop's root filesystem belongs: `target/rootfs`, beside the
/// profile folder (`target/debug`) that the running binary lies in, whatever
/// the working directory is. Tests (`target/debug/deps`) share it. A binary
/// that cargo did not put there has it beside itself.
///
/// # Errors
/// `/proc/self/exe` cannot be read (`ENOENT` where no /proc is mounted).
pub fn default_path() -> Result<PathBuf> {
    let program = env::current_exe().context(
        "find the running program through /proc/self/exe: is /proc mounted?",
    )?;
    let mut folder = program.parent().unwrap_or(Path::new("/"));
    if matches!(name_of(folder), "deps" | "examples") {
        folder = folder.parent().unwrap_or(folder);
    }
    // Cargo marks its target folder; a copy of one (in a virtual machine) may
    // have lost the mark, but not the names of the two usual profiles.
    let above = folder.parent().unwrap_or(folder);
    let profile = matches!(name_of(folder), "debug" | "release")
        || above.join("CACHEDIR.TAG").exists();
    Ok(if profile { above } else { folder }.join("rootfs"))
}

/// Makes the workshop's root filesystem on first need and says so in one line
/// on stderr. Where it is there already, nothing happens.
///
/// # Errors
/// `path` is missing and is not [`default_path`] (an explicit `--rootfs` is
/// the caller's to provide), is not a directory, or cannot be made ([`make`]).
pub fn ensure(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    ensure!(
        !path.exists(),
        "use {} as a root filesystem: it is not a directory; name one",
        path.display()
    );
    if std::path::absolute(path)? != default_path()? {
        bail!(
            "use {} as a root filesystem: there is no such directory; without \
             --rootfs the workshop makes one of its own",
            path.display()
        );
    }
    make(path, &Source::find()).map(drop)
}

/// Makes a root filesystem at `path`, which must not exist yet, and says so in
/// one line on stderr. True when it was made, false when another maker was
/// quicker: then theirs stands and this one's is gone.
///
/// # Errors
/// The folder of `path` is not writable (`EACCES`, `EROFS`), the disk is full
/// (`ENOSPC`), or the source lacks a shell. Nothing stays behind.
pub fn make(path: &Path, source: &Source) -> Result<bool> {
    // One at a time in this process: the name holds no more than its number.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for left_over in abandoned(path)? {
        // Somebody else may be at it too, or may own it: `clean` will tell.
        let _ = fs::remove_dir_all(&left_over);
    }
    let new = HalfMade(sibling(path, process::id()));
    let size = build(&new.0, source).with_context(|| {
        format!(
            "make the root filesystem {} from {source} (--rootfs DIR uses one \
             that you have)",
            path.display()
        )
    })?;
    if !publish(&new.0, path)? {
        return Ok(false);
    }
    let size = size.div_ceil(1024);
    // A closed stderr is no reason to fail, and `eprintln!` would panic.
    let _ = writeln!(
        io::stderr(),
        "workshop: made {} from {source}, {size} KiB",
        path.display()
    );
    Ok(true)
}

/// Half-made copies (`NAME.new-PID`) beside `path` whose maker is gone.
///
/// # Errors
/// The folder of `path` cannot be read.
pub fn abandoned(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let prefix = format!("{}.new-", name_of(path));
    let entries = fs::read_dir(folder)
        .with_context(|| format!("look into {}", folder.display()))?;
    let left_over = |file: &PathBuf| {
        let pid: u32 = name_of(file).strip_prefix(&prefix)?.parse().ok()?;
        Some(!is_alive(i32::try_from(pid).ok()?))
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|file| left_over(file) == Some(true)).collect())
}

/// The name under which the process `pid` makes `path`.
#[must_use]
pub fn sibling(path: &Path, pid: u32) -> PathBuf {
    path.with_file_name(format!("{}.new-{pid}", name_of(path)))
}

/// Signal 0 is never delivered; the kernel only says whether it could be
/// (kill(2)). EPERM means alive, but somebody else's. This process has not
/// begun yet, so a copy that carries its number is from an earlier life.
fn is_alive(pid: i32) -> bool {
    let gone = kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
    !gone && u32::try_from(pid) != Ok(process::id())
}

/// Removes what is not finished, on every way out.
struct HalfMade(PathBuf);

impl Drop for HalfMade {
    fn drop(&mut self) {
        // After success there is nothing under this name any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// rename(2) is the only step that others can see: a directory takes the name
/// in one move, unless a directory with something in it holds the name already
/// (ENOTEMPTY or EEXIST, as the filesystem likes).
fn publish(new: &Path, path: &Path) -> Result<bool> {
    match fs::rename(new, path) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOTEMPTY | libc::EEXIST) => Ok(false),
            _ => Err(error).with_context(|| {
                format!("rename {} to {}", new.display(), path.display())
            }),
        },
    }
}

/// Makes everything below `root` and returns its size in bytes.
fn build(root: &Path, source: &Source) -> Result<u64> {
    make_directory(root, 0o755)?;
    for (name, mode) in DIRECTORIES {
        make_directory(&root.join(name), *mode)?;
    }
    for (target, link) in LINKS {
        make_link(target, &root.join(link))?;
    }
    for (name, text) in FILES {
        let file = root.join(name);
        fs::write(&file, text)
            .and_then(|()| fs::set_permissions(&file, mode(0o644)))
            .with_context(|| format!("write {}", file.display()))?;
    }
    match source {
        Source::Busybox(file) => install_busybox(root, file)?,
        Source::Host => install_host(root)?,
    }
    settle(root, invoker())
}

fn install_busybox(root: &Path, busybox: &Path) -> Result<()> {
    let bin = root.join("usr/bin");
    copy(busybox, &bin.join("busybox"))?;
    // busybox looks at the name that it was called by: argv[0] is the command.
    for applet in applets(busybox)? {
        make_link("busybox", &bin.join(applet))?;
    }
    Ok(())
}

/// The commands that this busybox was built with.
fn applets(busybox: &Path) -> Result<Vec<String>> {
    let output = Command::new(busybox)
        .arg("--list")
        .output()
        .with_context(|| format!("run {} --list", busybox.display()))?;
    let list = String::from_utf8_lossy(&output.stdout);
    let names = list.lines().map(str::trim);
    let names: Vec<_> = names
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .filter(|name| *name != "busybox")
        .map(String::from)
        .collect();
    ensure!(
        names.iter().any(|name| name == "sh"),
        "{} --list names no sh: install another busybox or remove this one",
        busybox.display()
    );
    Ok(names)
}

fn install_host(root: &Path) -> Result<()> {
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
    let plugins: Vec<_> = libraries
        .iter()
        .filter(|file| name_of(file) == "libc.so.6")
        .flat_map(|libc| {
            ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"]
                .map(|name| libc.with_file_name(name))
        })
        .filter(|file| file.exists())
        .collect();
    libraries.extend(plugins);
    // The loader's index of what lies outside its usual folders (ldconfig).
    libraries.extend(existing("/etc/ld.so.cache"));
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

/// A terminal that nobody described costs `top` and `clear`, nothing else.
fn install_terminals(root: &Path) -> Result<()> {
    let places = ["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"];
    for terminal in TERMINALS {
        let files = places.iter().map(|place| Path::new(place).join(terminal));
        if let Some(file) = files.into_iter().find(|file| file.exists()) {
            copy(&file, &root.join("usr/share/terminfo").join(terminal))?;
        }
    }
    Ok(())
}

/// Where programs are looked for: PATH, then where they usually are.
fn places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/busybox";
    let usual = OsStr::new(usual);
    let places = env::split_paths(&path).chain(env::split_paths(usual));
    // An empty or relative entry means the working directory: not ours to run.
    places.filter(|place| place.is_absolute()).collect()
}

/// The ELF file that `name` stands for; a script would need its interpreter.
fn find_program(name: &str) -> Option<PathBuf> {
    let files = places().into_iter().map(|place| place.join(name));
    files.into_iter().find(|file| interpreter(file).is_some())
}

fn is_static(file: &Path) -> bool {
    interpreter(file) == Some(false)
}

/// Whether the ELF file asks for a dynamic loader; None when it is no ELF
/// file. The kernel's rule (elf(5)): a program header of type PT_INTERP names
/// the program that execve starts in its place, and a file without one needs
/// nothing but the kernel.
fn interpreter(file: &Path) -> Option<bool> {
    let elf = fs::read(file).ok()?;
    let number = |at: usize, width: usize| {
        let mut bytes = elf.get(at..at.checked_add(width)?)?.iter().rev();
        bytes.try_fold(0usize, |sum, byte| {
            Some(sum.checked_mul(256)? + usize::from(*byte))
        })
    };
    // e_phoff, e_phentsize, e_phnum lie elsewhere in 32- and 64-bit headers.
    let (start, size, count) = match elf.get(..5)? {
        b"\x7fELF\x01" => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
        b"\x7fELF\x02" => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
        _ => return None,
    };
    let header = |index: usize| number(start.checked_add(index * size)?, 4);
    let mut kinds = (0..count).map(header);
    Some(kinds.any(|kind| kind == usize::try_from(libc::PT_INTERP).ok()))
}

/// Copies contents only: a setuid bit stays behind, everything is 0755.
fn copy(source: &Path, target: &Path) -> Result<()> {
    let copied = || -> io::Result<()> {
        for folder in missing_above(target) {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, mode(0o755))?;
        }
        fs::copy(source, target)?;
        fs::set_permissions(target, mode(0o755))
    };
    copied().with_context(|| {
        format!("copy {} to {}", source.display(), target.display())
    })
}

/// The folders above `file` that do not exist yet, highest first.
fn missing_above(file: &Path) -> Vec<PathBuf> {
    let above = file.ancestors().skip(1);
    let mut missing: Vec<_> = above
        .take_while(|folder| !folder.exists())
        .map(Path::to_path_buf)
        .collect();
    missing.reverse();
    missing
}

fn make_directory(path: &Path, bits: u32) -> Result<()> {
    // mkdir(2) takes the umask away from the mode it is given, chmod does not.
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, mode(bits)))
        .with_context(|| format!("make the directory {}", path.display()))
}

fn make_link(target: &str, link: &Path) -> Result<()> {
    symlink(target, link)
        .with_context(|| format!("make the link {}", link.display()))
}

/// The person behind sudo, who owns the target folder. None when there is no
/// sudo: then the kernel has given every file to the caller already.
fn invoker() -> Option<(u32, u32)> {
    let id = |name| env::var(name).ok()?.parse().ok();
    let ids = Some((id("SUDO_UID")?, id("SUDO_GID")?));
    ids.filter(|_| geteuid().is_root())
}

/// Gives everything to `owner` and adds up the bytes. lchown changes a link
/// itself, where chown would change what the link points to on the host.
fn settle(path: &Path, owner: Option<(u32, u32)>) -> Result<u64> {
    let seen = || format!("give {} to its owner", path.display());
    if let Some((user, group)) = owner {
        lchown(path, Some(user), Some(group)).with_context(seen)?;
    }
    let metadata = path.symlink_metadata().with_context(seen)?;
    if !metadata.is_dir() {
        // A file with n names is met n times.
        return Ok(metadata.len() / metadata.nlink());
    }
    let mut size = 0;
    for entry in fs::read_dir(path).with_context(seen)? {
        size += settle(&entry.with_context(seen)?.path(), owner)?;
    }
    Ok(size)
}

fn mode(bits: u32) -> Permissions {
    Permissions::from_mode(bits)
}

fn existing(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.exists())
}

/// The last part of a path, or nothing where it is no text.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
