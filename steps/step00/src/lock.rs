//! Locks between launchers: files of our own in a folder of our own.
//!
//! flock(2) works on every file that one may open, the kernel's own too; but
//! then so it does for everybody else, and whoever holds such a lock holds up
//! all who want it. Nobody else can open what is in [`Folder::base`].
//!
//! A lock goes with its holder, whatever becomes of that. Its file goes with
//! the lock, or with the next one of that name when the holder was killed.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{major, minor};
use nix::unistd::Pid;

use crate::failure::Advice;
use crate::folder::Folder;
use crate::proc::Proc;
use crate::stat::fstat;

/// How long a lock may take. What is done under one takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A lock that nobody else has; the file goes when this is dropped.
#[derive(Debug)]
pub struct Lock {
    folder: Folder,
    name: String,
    // Dropped after the file is gone: see `take`.
    _file: Flock<File>,
}

impl Lock {
    /// Waits for the lock of this name. It begins with a dot, which no
    /// container's name does.
    ///
    /// # Errors
    /// When it cannot be had in time, with who has it.
    pub fn take(name: &str) -> Result<Lock> {
        let end = Instant::now() + PATIENCE;
        loop {
            let folder = Folder::make_base()?;
            let Some(file) = make(&folder, name)? else { continue };
            let file = patiently(file, FlockArg::LockExclusiveNonblock, end)
                .with_context(|| locking(&folder, name))?;
            // Who had it before us has removed the file: then this is a lock
            // on what nobody else will find.
            if is_current(&folder, name, &file) {
                return Ok(Lock { folder, name: name.into(), _file: file });
            }
        }
    }

    /// Takes it if nobody has it.
    ///
    /// # Errors
    /// As for open(2).
    pub fn try_take(name: &str) -> Result<Option<Lock>> {
        loop {
            let folder = Folder::make_base()?;
            let Some(file) = make(&folder, name)? else { continue };
            let how = FlockArg::LockExclusiveNonblock;
            match Flock::lock(file, how) {
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => {
                    return Err(errno).with_context(|| locking(&folder, name));
                }
                Ok(file) if is_current(&folder, name, &file) => {
                    let name = name.into();
                    return Ok(Some(Lock { folder, name, _file: file }));
                }
                Ok(_) => {}
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.folder.remove_file(&self.name);
        Folder::remove_base();
    }
}

/// A lock that several can share; the file stays until the last one removes
/// it.
#[derive(Debug)]
pub struct Share {
    name: String,
    file: Flock<File>,
    /// Had nobody else a share when this one was taken?
    pub is_first: bool,
}

impl Share {
    /// Takes a share. Whether it is the first one, only who keeps all others
    /// away meanwhile can rely on.
    ///
    /// # Errors
    /// As for [`Lock::take`].
    pub fn take(name: &str) -> Result<Share> {
        let end = Instant::now() + PATIENCE;
        loop {
            let folder = Folder::make_base()?;
            let Some(file) = make(&folder, name)? else { continue };
            // Who can have it alone shares it with nobody.
            let alone = FlockArg::LockExclusiveNonblock;
            let (is_first, file) = match Flock::lock(file, alone) {
                Ok(lock) => {
                    let shared = lock.relock(FlockArg::LockSharedNonblock);
                    if shared == Err(Errno::EWOULDBLOCK) {
                        // Another one had it alone in between.
                        continue;
                    }
                    shared.with_context(|| locking(&folder, name))?;
                    (true, lock)
                }
                Err((_, errno)) if errno != Errno::EWOULDBLOCK => {
                    return Err(errno).with_context(|| locking(&folder, name));
                }
                Err((file, _)) => {
                    let how = FlockArg::LockSharedNonblock;
                    let lock = patiently(file, how, end)
                        .with_context(|| locking(&folder, name))?;
                    (false, lock)
                }
            };
            if is_current(&folder, name, &file) {
                return Ok(Share { name: name.into(), file, is_first });
            }
        }
    }

    /// Closes our descriptor of it, and leaves the share to a guardian that has
    /// inherited one: a lock belongs to the open file, and to unlock it here
    /// would unlock it for both (flock(2)).
    pub fn leave_to_guardian(self) {
        let descriptor = self.file.as_raw_fd();
        std::mem::forget(self.file);
        // SAFETY: nobody else here owns this descriptor: its owner has just
        // been forgotten.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }

    /// Gives it back. Was it the last one? A guardian can do this as well,
    /// which has no other descriptor than that of the share.
    pub fn give_back(&self) -> bool {
        // As long as others share the lock, it cannot become exclusive.
        let how = FlockArg::LockExclusiveNonblock;
        let is_last = self.file.relock(how).is_ok();
        if let (true, Ok(Some(folder))) = (is_last, Folder::base()) {
            let _ = folder.remove_file(&self.name);
            Folder::remove_base();
        }
        let _ = self.file.relock(FlockArg::Unlock);
        is_last
    }
}

/// How much one sweep looks at. Where a thousand containers run there are
/// thousands of files, and whoever starts the next one would try them all.
const SWEEP: usize = 128;

/// All of these, or if there are many some of them, in each process others.
pub fn some_of<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let first = std::process::id() as usize % all.len().max(1);
    all.iter().cycle().skip(first).take(all.len().min(SWEEP))
}

/// Removes the files of locks that nobody has: what is left of launchers that
/// were killed together with their guardians. The names begin with one of
/// `starts`. Where there are many, each sweep looks at some of them.
pub fn sweep(starts: &[&str]) {
    let Ok(Some(folder)) = Folder::base() else { return };
    let mut names = folder.names().unwrap_or_default();
    names.retain(|name| starts.iter().any(|start| name.starts_with(start)));
    some_of(&names).for_each(|name| remove_if_free(&folder, name));
}

fn remove_if_free(folder: &Folder, name: &str) {
    let Ok(file) = folder.file(name, OFlag::O_RDWR) else { return };
    let is_free = Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok();
    if is_free {
        // It goes when it is given back.
        drop(Lock::try_take(name));
    }
}

impl AsFd for Share {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens a file or a folder that only its owner can open, and locks it for as
/// long as the result lives.
///
/// # Errors
/// As for open(2); with a `Nonblock` flag EWOULDBLOCK when another process
/// holds the lock.
pub fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>> {
    let file = File::open(path)
        .with_context(|| format!("open {}", path.display()))?;
    lock_file(file, path, how)
}

/// Locks a file that is open already; `path` is for the error.
///
/// # Errors
/// With a `Nonblock` flag EWOULDBLOCK when another process holds the lock.
pub fn lock_file(
    file: File,
    path: &Path,
    how: FlockArg,
) -> Result<Flock<File>> {
    Flock::lock(file, how)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("lock {}", path.display()))
}

/// Waits until `end` at the latest for a lock on this file.
///
/// # Errors
/// When it cannot be had in time, with who has it.
pub fn patiently(
    mut file: File,
    how: FlockArg,
    end: Instant,
) -> Result<Flock<File>> {
    loop {
        match Flock::lock(file, how) {
            Ok(lock) => return Ok(lock),
            Err((same, Errno::EWOULDBLOCK)) if Instant::now() < end => {
                file = same;
                sleep(Duration::from_millis(3));
            }
            Err((same, Errno::EWOULDBLOCK)) => {
                let holder = holder(&same);
                let error = anyhow!(
                    "{} has it",
                    holder.as_deref().unwrap_or("somebody")
                );
                return Err(error).advice(
                    "see what that process waits for; the lock goes with it",
                );
            }
            Err((_, errno)) => return Err(errno.into()),
        }
    }
}

/// Makes the file, or opens it. `None` when the folder was removed meanwhile.
fn make(folder: &Folder, name: &str) -> Result<Option<File>> {
    match folder.file(name, OFlag::O_RDWR | OFlag::O_CREAT) {
        Err(Errno::ENOENT) => Ok(None),
        file => file.map(Some).with_context(|| locking(folder, name)),
    }
}

fn is_current(folder: &Folder, name: &str, file: &File) -> bool {
    let inode = fstat(file).map(|found| found.st_ino);
    folder.look(name).map(|found| found.st_ino) == inode
}

fn locking(folder: &Folder, name: &str) -> String {
    format!("lock {}", folder.path().join(name).display())
}

/// For each piece of /proc/locks that is read the kernel goes through its list
/// from the start, and counts. While others take locks and let go of them, a
/// line may be missed; so it is looked for more than once.
const LOOKS: usize = 8;

/// The line of /proc/locks that has this word in it.
fn line_about(place: &str) -> Option<String> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let is_its =
        |line: &&str| line.split_whitespace().any(|word| word == place);
    locks.lines().find(is_its).map(str::to_owned)
}

/// Who has a lock on this file: proc_locks(5). The process that took it may be
/// gone, and a child of it may hold it still.
fn holder(file: &File) -> Option<String> {
    let found = fstat(file).ok()?;
    let place = format!(
        "{:02x}:{:02x}:{}",
        major(found.st_dev),
        minor(found.st_dev),
        found.st_ino
    );
    let line = (0..LOOKS).find_map(|_| line_about(&place))?;
    let pid: i32 = line.split_whitespace().nth(4)?.parse().ok()?;
    let name = Proc::of(Pid::from_raw(pid)).stat().map(|stat| stat.name);
    Some(match name {
        Ok(name) => format!("process {pid} ({})", name.escape_debug()),
        Err(_) => format!("process {pid}"),
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use witness::within;

    use super::*;

    /// A name that no launcher uses, and no other test.
    fn name(what: &str) -> String {
        format!(".test-{what}-{}", std::process::id())
    }

    fn is_there(name: &str) -> bool {
        let folder = Folder::base().expect("look for the folder");
        folder.is_some_and(|folder| folder.has(name))
    }

    fn take(name: &str) -> Lock {
        within("a lock", || Lock::take(name)).expect("take a lock")
    }

    #[test]
    fn a_lock_is_had_by_one_and_its_file_goes_with_it() {
        let name = name("one");
        let lock = take(&name);
        assert!(is_there(&name));
        assert!(Lock::try_take(&name).expect("try it").is_none());
        drop(lock);
        assert!(!is_there(&name));
        let again = Lock::try_take(&name).expect("try it");
        assert!(again.is_some(), "the control");
        drop(again);
        assert!(!is_there(&name));
    }

    #[test]
    fn shares_are_had_by_several_and_the_last_one_knows() {
        let name = name("share");
        let share = || within("a share", || Share::take(&name));
        let one = share().expect("take a share");
        let other = share().expect("take another");
        assert_eq!([one.is_first, other.is_first], [true, false]);
        assert!(!one.give_back(), "there is another");
        assert!(is_there(&name));
        assert!(other.give_back(), "it was the last");
        assert!(!is_there(&name));
        let again = share().expect("take it again");
        assert!(again.is_first);
        assert!(again.give_back());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let name = name("removed");
        let open = |folder: &Folder| {
            let file = make(folder, &name).expect("make it");
            file.expect("the folder is there")
        };
        let folder = within("the folder", || {
            loop {
                let folder = Folder::make_base().expect("make the folder");
                if let Ok(Some(_)) = make(&folder, &name) {
                    break folder;
                }
            }
        });
        let file = open(&folder);
        assert!(is_current(&folder, &name, &file), "the control");
        // Kept open, so that its number is not used again.
        folder.remove_file(&name).expect("remove it");
        assert!(!is_current(&folder, &name, &file));
        let other = within("another file", || {
            loop {
                let folder = Folder::make_base().expect("make the folder");
                if let Ok(Some(other)) = make(&folder, &name) {
                    break (folder, other);
                }
            }
        });
        assert!(!is_current(&other.0, &name, &file));
        assert!(is_current(&other.0, &name, &other.1), "the control");
        other.0.remove_file(&name).expect("remove it");
        Folder::remove_base();
    }

    #[test]
    fn who_waits_gets_it_or_hears_who_has_it() {
        let name = name("wait");
        let lock = take(&name);
        let open = || {
            let folder = Folder::base().expect("look").expect("a folder");
            folder.file(&name, OFlag::O_RDWR).expect("open it")
        };
        let how = FlockArg::LockExclusiveNonblock;
        let error = within("the end of patience", || {
            patiently(open(), how, Instant::now())
        });
        let error = error.expect_err("somebody has it").to_string();
        let own = format!("process {} (", std::process::id());
        assert!(error.contains(&own), "{error}");
        assert!(error.contains(") has it"), "{error}");
        let file = open();
        assert_eq!(holder(&file).map(|it| error.contains(&it)), Some(true));
        let end = Instant::now() + witness::patience();
        let same = open();
        let got = thread::scope(|scope| {
            let waiting = scope.spawn(|| patiently(same, how, end));
            drop(lock);
            within("the lock", || waiting.join()).expect("the thread")
        });
        drop(got.expect("it was given back"));
        assert_eq!(holder(&file), None, "nobody has it");
    }

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let (start, other) = (name("sweep"), name("kept"));
        let [left, held] = ["-a", "-b"].map(|end| format!("{start}{end}"));
        let lock = take(&held);
        // The lock keeps the folder from being removed.
        let folder = Folder::base().expect("look").expect("a folder");
        for name in [&left, &other] {
            make(&folder, name).expect("leave a file");
        }
        sweep(&[&start]);
        let found = [&left, &held, &other].map(|name| is_there(name));
        assert_eq!(found, [false, true, true]);
        folder.remove_file(&other).expect("remove it");
        drop(lock);
    }

    #[test]
    fn of_many_files_each_sweep_looks_at_some() {
        let start = name("many");
        let lock = take(&name("keeper"));
        let folder = Folder::base().expect("look").expect("a folder");
        for number in 0..SWEEP + 2 {
            make(&folder, &format!("{start}-{number}")).expect("leave a file");
        }
        let left = || {
            let names = folder.names().expect("list them");
            names.iter().filter(|name| name.starts_with(&start)).count()
        };
        sweep(&[&start]);
        assert_eq!(left(), 2);
        sweep(&[&start]);
        assert_eq!(left(), 0);
        drop(lock);
    }

    #[test]
    fn a_file_is_locked_once() {
        let folder = witness::Folder::new();
        let how = FlockArg::LockExclusiveNonblock;
        let first = lock(folder.path(), how).expect("lock it");
        let error = lock(folder.path(), how).expect_err("it is locked");
        assert_eq!(error.downcast_ref(), Some(&Errno::EWOULDBLOCK));
        let path = folder.path().display().to_string();
        assert!(error.to_string().contains(&path), "{error:#}");
        drop(first);
        lock(folder.path(), how).expect("the control");
        let gone = lock(&folder.join("gone"), how).expect_err("none");
        assert!(gone.to_string().contains("open "), "{gone:#}");
    }
}
