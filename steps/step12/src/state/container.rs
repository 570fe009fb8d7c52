//! The folder of one container, and the lock on it.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use step00::folder::{Folder, is_missing};
use step00::lock::patiently;

use super::{Mounted, State, Status};
use crate::config::Config;

/// How long another command may hold up this one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of one container.
pub struct Container {
    /// What it is called.
    pub id: String,
    above: Folder,
    /// Where the gate is, too.
    pub folder: Folder,
    _lock: Flock<File>,
}

/// Checks what a container is called: it becomes the name of a folder.
///
/// # Errors
/// For what could lead elsewhere, or is too long for a name.
pub fn check_id(id: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    let is_name = !matches!(id, "" | "." | "..") && id.len() <= 250;
    match is_name && id.chars().all(is_plain) {
        true => Ok(()),
        false => bail!("invalid container id {id:?}"),
    }
}

fn taken() -> Error {
    anyhow!("container with given ID already exists")
}

fn unknown(id: &str) -> Error {
    anyhow!("container {id:?} does not exist")
}

/// The folder of all, if there is one.
fn base(root: &Path) -> Result<Option<Folder>> {
    match Folder::at(root) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Container {
    /// Claims a name. What a `create` has left that was killed goes first.
    ///
    /// # Errors
    /// When there is a container of that name.
    pub fn claim(root: &Path, id: &str) -> Result<Container> {
        check_id(id)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .with_context(|| format!("make {}", root.display()))?;
        let above = Folder::at(root)?;
        if above.has(id) {
            Container::take_left(root, id)?;
        }
        match above.make(id) {
            Err(Errno::EEXIST) => return Err(taken()),
            made => made.with_context(|| {
                format!("make {}", above.path().join(id).display())
            })?,
        }
        Container::lock(above, id, FlockArg::LockExclusiveNonblock)
    }

    /// Removes what a `create` has left that was killed.
    fn take_left(root: &Path, id: &str) -> Result<()> {
        let other = Container::try_open(root, id)?.ok_or_else(taken)?;
        let is_left = other.state().map_or(true, |state| {
            matches!(state.status(&other.folder), Ok(Status::Creating))
        });
        match is_left {
            true => other.remove_left(),
            false => Err(taken()),
        }
    }

    /// Waits until no other command is about it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn open(root: &Path, id: &str) -> Result<Container> {
        check_id(id)?;
        let Some(above) = base(root)? else { return Err(unknown(id)) };
        Container::lock(above, id, FlockArg::LockExclusive)
    }

    /// The same, if no other command is about it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn try_open(root: &Path, id: &str) -> Result<Option<Container>> {
        check_id(id)?;
        let Some(above) = base(root)? else { return Err(unknown(id)) };
        match Container::lock(above, id, FlockArg::LockExclusiveNonblock) {
            Err(error) if is_held(&error) => Ok(None),
            container => container.map(Some),
        }
    }

    fn lock(above: Folder, id: &str, how: FlockArg) -> Result<Container> {
        loop {
            let folder = match above.open(id) {
                Err(error) if is_missing(&error) => return Err(unknown(id)),
                folder => folder?,
            };
            let flags = OFlag::O_RDWR | OFlag::O_CREAT;
            let file = match folder.file("lock", flags) {
                // It has just been removed.
                Err(Errno::ENOENT) => continue,
                file => file.context("open its lock")?,
            };
            let nonblock = FlockArg::LockExclusiveNonblock;
            let lock = match how {
                FlockArg::LockExclusiveNonblock => Flock::lock(file, how)
                    .map_err(|(_, errno)| errno)
                    .with_context(|| format!("lock {id}"))?,
                _ => patiently(file, nonblock, Instant::now() + PATIENCE)
                    .with_context(|| format!("lock {id}"))?,
            };
            // Another command may have removed it, and a third made it anew.
            let same = above.open(id).ok().and_then(|now| {
                Some(now.look("lock").ok()?.st_ino == inode(&lock)?)
            });
            if same == Some(true) {
                let id = id.to_owned();
                return Ok(Container { id, above, folder, _lock: lock });
            }
        }
    }

    /// What is written down of it.
    ///
    /// # Errors
    /// When a `create` was killed before it wrote anything.
    pub fn state(&self) -> Result<State> {
        read(&self.folder)
    }

    /// config.json as it was when it was created.
    ///
    /// # Errors
    /// As above.
    pub fn config(&self) -> Result<Config> {
        let text = self.folder.read("config.json").context("read its copy")?;
        Config::parse(text.as_bytes())
    }

    /// Writes it down, in place of what was there.
    ///
    /// # Errors
    /// ENOSPC.
    pub fn write(&self, state: &State) -> Result<()> {
        self.write_file("state.json", &serde_json::to_vec(state)?)
    }

    /// Writes one of its files.
    ///
    /// # Errors
    /// ENOSPC.
    pub fn write_file(&self, name: &str, text: &[u8]) -> Result<()> {
        let new = format!("{name}.new");
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let write = || -> Result<()> {
            self.folder.file(&new, flags)?.write_all(text)?;
            Ok(self.folder.rename(&new, name)?)
        };
        write().with_context(|| {
            format!("write {}", self.folder.path().join(name).display())
        })
    }

    /// Forgets it.
    ///
    /// # Errors
    /// When there is more in its folder than we have put there.
    pub fn remove(self) -> Result<()> {
        self.above.remove(&self.id)
    }

    /// What a killed `create` has left: its process is gone, or going.
    ///
    /// # Errors
    /// As above, and for its group and its mounts.
    pub fn remove_left(self) -> Result<()> {
        if let Ok(state) = self.state() {
            state.cgroup.kill(libc::SIGKILL)?;
            state.cgroup.remove()?;
            state.unmount()?;
        }
        self.remove()
    }
}

/// All names below `root`, in order.
///
/// # Errors
/// EACCES.
pub fn names(root: &Path) -> Result<Vec<String>> {
    let Some(base) = base(root)? else { return Ok(Vec::new()) };
    let mut names = base.names().context("list the containers")?;
    names.retain(|name| check_id(name).is_ok());
    names.sort();
    Ok(names)
}

/// Does no other container below `root` have this folder mounted as its root,
/// where everybody can see it? The second one would lie on the first, and go
/// with it.
///
/// # Errors
/// With the name of the other.
pub fn check_root(root: &Path, id: &str, mounted: &Mounted) -> Result<()> {
    for other in names(root)?.iter().filter(|name| *name != id) {
        // One that is being made or removed has no state.
        let Ok((state, _)) = find(root, other) else { continue };
        let is_same = |it: &Mounted| {
            (it.folder, it.namespace) == (mounted.folder, mounted.namespace)
        };
        ensure!(
            !state.mounted.as_ref().is_some_and(is_same),
            "root.path: container {other:?} has it mounted, and has no mount \
             namespace of its own"
        );
    }
    Ok(())
}

/// What is written down of a container, and its folder, without its lock: for
/// commands that only look.
///
/// # Errors
/// When there is none of that name.
pub fn find(root: &Path, id: &str) -> Result<(State, Folder)> {
    check_id(id)?;
    let Some(base) = base(root)? else { return Err(unknown(id)) };
    let folder = match base.open(id) {
        Err(error) if is_missing(&error) => return Err(unknown(id)),
        folder => folder?,
    };
    Ok((read(&folder)?, folder))
}

fn read(folder: &Folder) -> Result<State> {
    let text = match folder.read("state.json") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = folder.path().file_name().unwrap_or_default();
            return Err(unknown(&id.to_string_lossy()));
        }
        text => text.context("read its state")?,
    };
    serde_json::from_str(&text).context("read its state")
}

fn is_held(error: &Error) -> bool {
    error.downcast_ref() == Some(&Errno::EWOULDBLOCK)
}

fn inode(file: &File) -> Option<u64> {
    step00::stat::fstat(file).ok().map(|found| found.st_ino)
}
