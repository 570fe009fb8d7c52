//! Unpacks a tar archive that nobody has reason to trust.
//!
//! A tar archive is a list of orders: make this, link that. Written for it,
//! they could be `../../.bashrc`, or a link to `/etc` and then a file through
//! it. Here the kernel itself keeps every one inside the destination: openat2
//! with RESOLVE_IN_ROOT resolves a path as if the destination were `/`, links
//! and `..` included, and everything else is done relative to the directory
//! that it returned, on a single name, never following a link.
//!
//! What is kept: contents, modes with setuid, times of files, links, fifos.
//! What is not:
//! - owners. Everything belongs to the caller, even if that is root: whose
//!   files they are inside is up to the container's uid map, not the archive;
//! - device nodes (counted): a container gets its own `/dev`;
//! - extended attributes, and with them file capabilities.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fchmod, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, mkfifoat, symlinkat, unlinkat};
use tar::{Entry, EntryType};

/// What an archive is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole tree; names mean themselves.
    Tree,
    /// One layer of an image; names that begin with `.wh.` delete
    /// (OCI image specification, layer.md, "Whiteouts").
    Layer,
}

/// An archive, unpacked below a directory.
///
/// Its directories can still be written to: call [`Unpacked::seal`] when
/// nothing more is to be put into them.
#[derive(Debug)]
pub struct Unpacked {
    root: OwnedFd,
    kind: Kind,
    /// Entries made.
    pub entries: u64,
    /// Bytes of file contents written.
    pub bytes: u64,
    /// Device nodes left out.
    pub devices: u64,
    /// The modes that directories are to have in the end, by path.
    pub modes: BTreeMap<PathBuf, u32>,
    /// Directories that the archive puts files into but does not list.
    pub implied: Vec<PathBuf>,
    /// Paths that a layer deletes from the layers below it.
    pub whiteouts: Vec<PathBuf>,
    /// Directories in which a layer hides all that lower layers have.
    pub opaque: Vec<PathBuf>,
}

/// Unpacks `archive` below the empty directory `root`.
///
/// # Errors
/// The archive is damaged or cut short, an entry tries to leave `root` by
/// `..`, or the filesystem refuses one. What was unpacked until then remains.
pub fn unpack(
    mut archive: impl Read,
    root: &Path,
    kind: Kind,
) -> Result<Unpacked> {
    let mut unpacked = Unpacked::below(root, kind)?;
    let mut tar = tar::Archive::new(&mut archive);
    let entries = tar.entries().context("read the tar archive")?;
    for entry in entries {
        let mut entry = entry.context("read the archive: is it a tar?")?;
        let name = entry.path_bytes().into_owned();
        unpacked.add(&mut entry, &name).with_context(|| {
            format!("unpack the entry {:?}", OsStr::from_bytes(&name))
        })?;
    }
    // gzip keeps its checksum, and a filter its exit status, for the very end.
    io::copy(&mut archive, &mut io::sink()).context("read to the end")?;
    if kind == Kind::Tree {
        unpacked.settle_implied(|_| 0o755);
    }
    Ok(unpacked)
}

impl Unpacked {
    fn below(root: &Path, kind: Kind) -> Result<Self> {
        let root = File::open(root)
            .with_context(|| format!("open {}", root.display()))?
            .into();
        Ok(Self {
            root,
            kind,
            entries: 0,
            bytes: 0,
            devices: 0,
            modes: BTreeMap::new(),
            // Archives rarely list the directory that they were made from.
            implied: vec![PathBuf::new()],
            whiteouts: Vec::new(),
            opaque: Vec::new(),
        })
    }

    /// Decides on the modes of directories that the archive did not list.
    pub fn settle_implied(&mut self, mode: impl Fn(&Path) -> u32) {
        for path in self.implied.drain(..) {
            let mode = mode(&path);
            self.modes.entry(path).or_insert(mode);
        }
    }

    /// Gives directories the modes that the archive wants. This comes last,
    /// and deepest first: one without `w` or `x` could not be filled.
    pub fn seal(&self) -> Result<()> {
        for (path, mode) in self.modes.iter().rev() {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            let folder = match self.resolve(path, flags) {
                Ok(folder) => folder,
                // A later entry put something else in its place.
                Err(Errno::ENOENT | Errno::ENOTDIR) => continue,
                Err(error) => Err(error)
                    .with_context(|| format!("open {}", path.display()))?,
            };
            fchmod(&folder, Mode::from_bits_truncate(*mode))
                .with_context(|| format!("chmod {}", path.display()))?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        name: &[u8],
    ) -> Result<()> {
        let path = confined(name)?;
        if self.kind == Kind::Layer && self.note_whiteout(&path)? {
            return Ok(());
        }
        // Before 1988 a directory was a file whose name ends in a slash.
        let kind = match entry.header().entry_type() {
            EntryType::Regular if name.ends_with(b"/") => EntryType::Directory,
            kind => kind,
        };
        match kind {
            EntryType::Directory => self.add_directory(entry, &path)?,
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::GNUSparse => self.add_file(entry, &path)?,
            EntryType::Symlink => self.add_symlink(entry, &path)?,
            EntryType::Link => self.add_hard_link(entry, &path)?,
            EntryType::Fifo => self.add_fifo(entry, &path)?,
            EntryType::Char | EntryType::Block => {
                self.devices += 1;
                return Ok(());
            }
            // A comment on the archive as a whole, as `git archive` writes.
            EntryType::XGlobalHeader => return Ok(()),
            other => bail!("type {:?} is not known here", other.as_byte()),
        }
        self.entries += 1;
        Ok(())
    }

    /// True when the name was an order to delete, not a file.
    fn note_whiteout(&mut self, path: &Path) -> Result<bool> {
        let (folder, name) = split(path);
        let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") else {
            return Ok(false);
        };
        match hidden {
            b".wh..opq" => self.opaque.push(folder.to_path_buf()),
            // Notes that AUFS kept for itself.
            _ if hidden.starts_with(b".wh.") => {}
            b"" | b"." | b".." => bail!("it deletes no name"),
            _ => {
                let hidden = folder.join(OsStr::from_bytes(hidden));
                self.whiteouts.push(hidden);
            }
        }
        Ok(true)
    }

    fn add_directory(
        &mut self,
        entry: &Entry<'_, impl Read>,
        path: &Path,
    ) -> Result<()> {
        let mode = entry.header().mode()? & 0o7777;
        if path != Path::new("") {
            let (parent, name) = self.parent(path)?;
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let there = fstatat(&parent, name.as_os_str(), flags);
            let there = there.is_ok_and(|stat| is_directory(stat.st_mode));
            if !there {
                remove(&parent, &name)?;
                mkdirat(&parent, name.as_os_str(), Mode::S_IRWXU)
                    .context("make the directory")?;
            }
        }
        self.modes.insert(path.to_path_buf(), mode);
        Ok(())
    }

    fn add_file(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
    ) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        // O_EXCL: what is opened is what was made just now, never a link.
        let flags = OFlag::O_WRONLY
            | OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_CLOEXEC;
        let private = Mode::S_IRUSR | Mode::S_IWUSR;
        let mut file: File = openat(&parent, name.as_os_str(), flags, private)
            .context("make the file")?
            .into();
        let copied = io::copy(entry, &mut file).context("write it")?;
        ensure!(
            copied == entry.size(),
            "the archive is cut short: {copied} bytes of {}",
            entry.size()
        );
        self.bytes += copied;
        // Python and make compare times, so keep them.
        let time = Duration::from_secs(entry.header().mtime()?);
        if let Some(time) = UNIX_EPOCH.checked_add(time) {
            // Some filesystems end in 2038. Do not stop for a wrong time.
            let _ = file.set_modified(time);
        }
        // Last, since writing to a file takes its setuid bit away.
        let mode = entry.header().mode()? & 0o7777;
        file.set_permissions(Permissions::from_mode(mode)).context("chmod it")
    }

    fn add_symlink(
        &mut self,
        entry: &Entry<'_, impl Read>,
        path: &Path,
    ) -> Result<()> {
        let target = entry.link_name_bytes().context("it has no target")?;
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        // Only text: where it leads is decided when it is followed.
        symlinkat(OsStr::from_bytes(&target), &parent, name.as_os_str())
            .context("make the symbolic link")
    }

    fn add_hard_link(
        &mut self,
        entry: &Entry<'_, impl Read>,
        path: &Path,
    ) -> Result<()> {
        let target = entry.link_name_bytes().context("it has no target")?;
        let target = confined(&target)?;
        if target == path {
            return Ok(());
        }
        let (target_parent, target_name) = self.parent(&target)?;
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        // No AT_SYMLINK_FOLLOW: a link to a symbolic link is one more name
        // for the link, not for the host's file that it may point to.
        linkat(
            &target_parent,
            target_name.as_os_str(),
            &parent,
            name.as_os_str(),
            AtFlags::empty(),
        )
        .with_context(|| format!("hard link it to {}", target.display()))
    }

    fn add_fifo(
        &mut self,
        entry: &Entry<'_, impl Read>,
        path: &Path,
    ) -> Result<()> {
        let mode = Mode::from_bits_truncate(entry.header().mode()? & 0o777);
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        mkfifoat(&parent, name.as_os_str(), mode).context("make the fifo")
    }

    /// The directory that `path` is to lie in, made where it is missing, and
    /// the last name in `path`.
    fn parent(&mut self, path: &Path) -> Result<(OwnedFd, OsString)> {
        let (folder, name) = split(path);
        ensure!(!name.is_empty(), "it would replace the directory itself");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let found = match self.resolve(folder, flags) {
            Err(Errno::ENOENT) => {
                let (above, missing) = self.parent(folder)?;
                mkdirat(&above, missing.as_os_str(), Mode::S_IRWXU)
                    .with_context(|| format!("make {}", folder.display()))?;
                self.implied.push(folder.to_path_buf());
                self.resolve(folder, flags)
            }
            found => found,
        };
        let found = found.with_context(|| {
            format!("find {} in the destination", folder.display())
        })?;
        Ok((found, name.to_os_string()))
    }

    /// Opens `path` as if the destination were `/` (openat2(2), Linux 5.6).
    fn resolve(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let path = if path == Path::new("") { Path::new(".") } else { path };
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
        loop {
            match openat2(&self.root, path, how) {
                // Something was renamed on this machine while a `..` was
                // resolved: the kernel cannot vouch for the answer. Ask again.
                Err(Errno::EAGAIN) => {}
                answer => return answer,
            }
        }
    }
}

/// The path below the destination that an archive's name stands for. A slash
/// in front is dropped, as tar(1) does; `..` has no honest use: an error.
fn confined(name: &[u8]) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::ParentDir => bail!(
                "{:?} leaves the destination; do not trust this archive",
                OsStr::from_bytes(name)
            ),
            _ => {}
        }
    }
    Ok(path)
}

fn split(path: &Path) -> (&Path, &OsStr) {
    let folder = path.parent().unwrap_or(Path::new(""));
    (folder, path.file_name().unwrap_or_default())
}

/// Removes what an earlier entry has put under this name: later ones win.
fn remove(parent: &OwnedFd, name: &OsStr) -> Result<()> {
    let unlink = |flag| unlinkat(parent, name, flag);
    let removed = match unlink(UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => unlink(UnlinkatFlags::RemoveDir),
        removed => removed,
    };
    match removed {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error).context("replace an earlier entry"),
    }
}

fn is_directory(mode: u32) -> bool {
    SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR
}
