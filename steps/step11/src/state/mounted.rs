//! Mounts in a namespace that is not the container's, by which they can be
//! found again and taken away.
//!
//! A mount namespace of the container's own goes with its last process, and
//! all that is mounted in it. Without one the mounts are on the table of
//! whoever has started the container, and stay there.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::unistd::fchdir;
use serde::{Deserialize, Serialize};
use step00::proc::Mounts;
use step00::stat::fstat;

use super::boot;

/// Two mounts of one folder. The lower one lies on that folder, the upper one
/// on the lower, and all the others below the upper one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Their numbers, the lower one's first. A mount that is gone leaves its
    /// number to another one.
    pub ids: [u64; 2],
    /// The folder that both show: its device and its inode.
    pub folder: (u64, u64),
    /// The mount namespace that they are in: the same of its file.
    pub namespace: (u64, u64),
    /// A path that stands for that, if it was joined.
    pub joined: Option<PathBuf>,
    /// Since which boot: random(4).
    pub boot: String,
}

impl Mounted {
    /// Of two mounts that hang nowhere yet: they keep their numbers. They are
    /// for the caller's namespace, or for the one that `joined` stands for.
    ///
    /// # Errors
    /// When the two show different folders; ENOENT for the namespace.
    pub fn of(
        lower: BorrowedFd<'_>,
        upper: BorrowedFd<'_>,
        joined: Option<&Path>,
    ) -> Result<Mounted> {
        let proc = File::open("/proc").context("open /proc")?;
        let folder = place(upper)?;
        ensure!(place(lower)? == folder, "its root was exchanged meanwhile");
        let path = joined.unwrap_or(Path::new(OWN));
        let namespace = fs::metadata(path)
            .with_context(|| format!("look at {}", path.display()))?;
        Ok(Mounted {
            ids: [number(&proc, lower)?, number(&proc, upper)?],
            folder,
            namespace: (namespace.dev(), namespace.ino()),
            joined: joined.map(Path::to_owned),
            boot: boot()?,
        })
    }

    /// Is this folder the top of the upper mount?
    ///
    /// # Errors
    /// None that is to be expected.
    pub fn is_root(&self, folder: BorrowedFd<'_>) -> Result<bool> {
        let proc = File::open("/proc").context("open /proc")?;
        let is_upper = number(&proc, folder)? == self.ids[1];
        Ok(is_upper && place(folder)? == self.folder)
    }

    /// Takes both away, and all that is mounted below them. Where they are
    /// gone, or their namespace is, all is well.
    ///
    /// # Errors
    /// EPERM without CAP_SYS_ADMIN; and where somebody has mounted something
    /// over them.
    pub fn take_away(&self) -> Result<()> {
        if boot()? != self.boot {
            return Ok(());
        }
        let Some(namespace) = self.find() else { return Ok(()) };
        // A thread may have a namespace and a working directory of its own,
        // and nobody notices that it was elsewhere.
        let done = thread::scope(|scope| {
            scope.spawn(|| self.take_away_in(&namespace)).join()
        });
        done.map_err(|_| anyhow!("a thread has failed"))?
            .context("take away its mounts")
    }

    /// The namespace, if it is still there: mostly the caller's own, or that
    /// of any process.
    fn find(&self) -> Option<File> {
        let open = |path: PathBuf| {
            let mut options = File::options();
            // Whatever lies there by now must not make us wait.
            options.read(true).custom_flags(libc::O_NONBLOCK);
            let file = options.open(path).ok()?;
            let found = file.metadata().ok()?;
            let its = (found.dev(), found.ino());
            (its == self.namespace).then_some(file)
        };
        let known = [Some(PathBuf::from(OWN)), self.joined.clone()];
        let found = known.into_iter().flatten().find_map(open);
        found.or_else(|| {
            let processes = fs::read_dir("/proc").ok()?.flatten();
            let is_number = |entry: &fs::DirEntry| {
                let name = entry.file_name();
                name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
            };
            let mut processes = processes.filter(is_number);
            processes.find_map(|entry| open(entry.path().join("ns/mnt")))
        })
    }

    fn take_away_in(&self, namespace: &File) -> Result<()> {
        // There may be no /proc there.
        let proc = File::open("/proc").context("open /proc")?;
        let own = fs::metadata(OWN)?;
        unshare(CloneFlags::CLONE_FS).context("have a root of its own")?;
        if (own.dev(), own.ino()) != self.namespace {
            setns(namespace, CloneFlags::CLONE_NEWNS)
                .context("join their namespace")?;
        }
        while let Some(point) = self.point(&proc)? {
            if !self.take_top(&proc, &point)? {
                break;
            }
        }
        Ok(())
    }

    /// Where one of the two is, by the kernel's own table.
    fn point(&self, proc: &File) -> Result<Option<PathBuf>> {
        let table = read(proc, "thread-self/mountinfo")?;
        let mounts = Mounts::parse(&table, None);
        let mine = mounts.iter().find(|it| self.ids.contains(&it.id));
        Ok(mine.map(|it| it.point.clone()))
    }

    /// Takes away what lies on top there, if that is one of the two. False
    /// when the number is another mount's by now.
    ///
    /// No path is followed for that but up to here: what is unmounted is the
    /// mount that was looked at, "." (umount2(2), UMOUNT_NOFOLLOW).
    fn take_top(&self, proc: &File, point: &Path) -> Result<bool> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        let top = match openat2(AT_FDCWD, point, how) {
            // A mount of a file, so it is none of the two.
            Err(Errno::ENOTDIR) => return Ok(false),
            top => top.with_context(|| format!("open {}", point.display()))?,
        };
        let is_mine = self.ids.contains(&number(proc, top.as_fd())?);
        ensure!(
            is_mine,
            "something else is mounted on {}: umount it first",
            point.display()
        );
        if place(top.as_fd())? != self.folder {
            return Ok(false);
        }
        fchdir(&top).with_context(|| format!("enter {}", point.display()))?;
        let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
        umount2(".", flags)
            .with_context(|| format!("unmount {}", point.display()))?;
        Ok(true)
    }
}

const OWN: &str = "/proc/thread-self/ns/mnt";

/// The number of the mount that a descriptor leads into
/// (proc_pid_fdinfo(5), `mnt_id`).
fn number(proc: &File, of: BorrowedFd<'_>) -> Result<u64> {
    let path = format!("thread-self/fdinfo/{}", of.as_raw_fd());
    let notes = String::from_utf8(read(proc, &path)?)?;
    let id = notes.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.and_then(|id| id.trim().parse().ok()).context("find its mount")
}

fn read(proc: &File, path: &str) -> Result<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut text = Vec::new();
    let open = openat(proc, path, flags, Mode::empty()).map(File::from);
    open.map_err(anyhow::Error::from)
        .and_then(|mut file| Ok(file.read_to_end(&mut text)?))
        .with_context(|| format!("read /proc/{path}"))?;
    Ok(text)
}

// The numbers have another width on other processors.
#[allow(clippy::unnecessary_cast)]
fn place(folder: BorrowedFd<'_>) -> Result<(u64, u64)> {
    let found = fstat(folder)?;
    Ok((found.st_dev as u64, found.st_ino as u64))
}
