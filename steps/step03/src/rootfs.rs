//! A root filesystem with no download.
//!
//! A container's root is a directory with programs in it, and the kernel does
//! not care where they came from. This module makes one out of what the
//! machine already has: a static busybox, one file that is three hundred
//! commands; or, where there is none, the host's own `sh`, `ls`, `ps` … each
//! with the libraries that it loads.
//!
//! Interface: [`default_path`] says where it belongs, [`ensure()`] makes it
//! there on first need, [`make`] makes it anywhere from a [`Source`] of your
//! choice.
//!
//! What is promised: the directory is there whole or not at all, also after
//! SIGKILL and with many makers at once; its modes do not depend on the umask;
//! under sudo it belongs to the person behind sudo.
//! What is not: that it holds more than a shell and the usual small tools.

mod build;
mod busybox;
mod host;
mod interrupt;
mod layout;
mod programs;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, process};

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use step00::Advice;

pub use interrupt::Removal;

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
    #[must_use]
    pub fn find() -> Self {
        busybox::find().map_or(Self::Host, Self::Busybox)
    }

    fn install(&self, root: &Path) -> Result<()> {
        match self {
            Self::Busybox(file) => busybox::install(root, file),
            Self::Host => host::install(root),
        }
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
/// that cargo did not put there has it beside itself, but in a folder `bin`
/// (`cargo install`) there are programs and nothing else: then it belongs to
/// the data of whoever runs it, `~/.local/share/workshop` (XDG Base Directory
/// Specification).
///
/// # Errors
/// /proc is not mounted, and so the program cannot find itself; or it is in a
/// folder `bin`, and neither XDG_DATA_HOME nor HOME is set.
pub fn default_path() -> Result<PathBuf> {
    let mut program = env::current_exe().context(
        "find the running program through /proc/self/exe: is /proc mounted?",
    )?;
    // Then who has started it so has named the original to it.
    if is_in_no_folder(&program) {
        program = env::args_os().next().unwrap_or_default().into();
    }
    let mut folder = program.parent().unwrap_or(Path::new("/"));
    if matches!(name_of(folder), "deps" | "examples") {
        folder = folder.parent().unwrap_or(folder);
    }
    if name_of(folder) == "bin" {
        return Ok(data_folder()?.join("rootfs"));
    }
    // Cargo marks its target folder; a copy of one (in a virtual machine) may
    // have lost the mark, but not the names of the two usual profiles.
    let above = folder.parent().unwrap_or(folder);
    let profile = matches!(name_of(folder), "debug" | "release")
        || above.join("CACHEDIR.TAG").exists();
    Ok(if profile { above } else { folder }.join("rootfs"))
}

/// Is this the path of a program that lies in no folder? A file in memory is
/// at `/memfd:NAME` (memfd_create(2)), and one that is itself the top of its
/// mount is at `/`. When the last name of a file is removed, as cargo does with
/// a program that it makes anew, the kernel says so behind its path
/// (proc_pid_exe(5)).
pub fn is_in_no_folder(program: &Path) -> bool {
    let path = program.as_os_str().as_encoded_bytes();
    path.starts_with(b"/memfd:") || matches!(path, b"/" | b"/ (deleted)")
}

fn data_folder() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let data = set("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(set("HOME")?).join(".local/share"));
    let data = data.or_else(home).context("find your home: HOME is not set");
    Ok(data.advice("--rootfs DIR uses one that you have")?.join("workshop"))
}

/// Makes the workshop's root filesystem on first need and says so in one line
/// on stderr. Where it is there already, nothing happens.
///
/// # Errors
/// `path` is missing and is not [`default_path`] (an explicit `--rootfs` is
/// the caller's to provide), is not a directory, or cannot be made ([`make`]).
pub fn ensure(path: &Path) -> Result<()> {
    let what = format!("use {} as a root filesystem", path.display());
    let wrong = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => Error::msg("it is not a directory"),
        Err(error) if error.kind() != io::ErrorKind::NotFound => error.into(),
        Err(_) if std::path::absolute(path)? == default_path()? => {
            return make(path, &Source::find()).map(drop);
        }
        Err(_) => Error::msg("there is no such directory"),
    };
    Err(wrong.context(what))
        .advice("without --rootfs the workshop makes one of its own")
}

/// Makes a root filesystem at `path`, which must not exist yet, and says so in
/// one line on stderr. True when it was made, false when another maker was
/// quicker: then theirs stands and this one's is gone.
///
/// # Errors
/// The folder of `path` is not writable (`EACCES`, `EROFS`), the disk is full
/// (`ENOSPC`), or the source lacks a shell. Nothing stays behind.
pub fn make(path: &Path, source: &Source) -> Result<bool> {
    make_folder_above(path)?;
    for left_over in abandoned(path)? {
        // Another maker may be at work on it, or another user own it: `clean`
        // will tell.
        let _ = fs::remove_dir_all(&left_over);
    }
    let new = HalfMade(sibling(path, process::id()));
    let _removal = Removal::of(&new.0);
    let size = build::build(&new.0, source)
        .with_context(|| {
            let path = path.display();
            format!("make the root filesystem {path} from {source}")
        })
        .advice("--rootfs DIR uses one that you have")?;
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

/// Only the folder for one's data may be missing yet.
fn make_folder_above(path: &Path) -> Result<()> {
    let above = path.parent().unwrap_or(Path::new("/"));
    let is_ours = data_folder().is_ok_and(|folder| folder == above);
    if is_ours {
        fs::create_dir_all(above)
            .with_context(|| format!("make {}", above.display()))?;
    }
    Ok(())
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
    let is_abandoned = |file: &PathBuf| {
        let pid = name_of(file).strip_prefix(&prefix);
        pid.and_then(|pid| pid.parse().ok()).is_some_and(|pid| !is_alive(pid))
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(is_abandoned).collect())
}

/// The name under which the process `pid` makes `path`.
#[must_use]
pub fn sibling(path: &Path, pid: u32) -> PathBuf {
    path.with_file_name(format!("{}.new-{pid}", name_of(path)))
}

/// Signal 0 is never delivered; the kernel only says whether it could be
/// (kill(2)). EPERM means alive, but another user's. This process has not
/// begun yet, so a copy that carries its number is from an earlier life.
fn is_alive(pid: i32) -> bool {
    let gone = kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
    !gone && pid != Pid::this().as_raw()
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

/// The last part of a path, or nothing where it is no text.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
