//! Unpacks a tar archive that nobody has reason to trust.
//!
//! A tar archive is a list of orders: make this, link that. Written for it,
//! they could be `../../.bashrc`, or a link to `/etc` and then a file through
//! it. Here the kernel itself keeps every one inside the destination: openat2
//! with RESOLVE_IN_ROOT resolves a path as if the destination were `/`, links
//! and `..` included, and everything else is done relative to the directory
//! that it returned, on a single name, never following a link.
//!
//! What is kept: contents with their holes, modes, times, links, fifos, and,
//! if root imports, owners and capabilities. What is not, and is counted:
//! device nodes, owners where the importer is not root, attributes that are
//! not a program's own ([`super::attributes`]). How much of it all there may
//! be is the [`Budget`]'s to say.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, ResolveFlag, openat};
use nix::sys::stat::{Mode, SFlag, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, mkfifoat, symlinkat, unlinkat};
use step00::stat::{FileStat, OMIT, fstatat};

use super::attributes::{Importer, Kept, LeftOut, Owner};
use super::budget::Budget;
use super::tar::{Archive, Attributes, Entry, Kind, Time};
use super::whiteout::{Layer, through_links};
use step03::open_within;

use crate::text::quoted;

/// An archive, unpacked below a directory.
///
/// Its directories can still be written to: call [`Unpacked::seal`] when
/// nothing more is to be put into them.
#[derive(Debug)]
pub struct Unpacked {
    root: OwnedFd,
    /// Entries made.
    pub entries: u64,
    /// Bytes of file contents, holes included.
    pub bytes: u64,
    /// What has not been kept.
    pub left_out: LeftOut,
    /// What directories are to be in the end, by path.
    pub folders: BTreeMap<PathBuf, Folder>,
    /// Directories that the archive puts files into but does not list.
    pub implied: Vec<PathBuf>,
    /// Paths that a layer deletes from the layers below it.
    pub whiteouts: BTreeSet<PathBuf>,
    /// Directories in which a layer hides all that lower layers have.
    pub opaque: BTreeSet<PathBuf>,
}

/// What a directory is to be in the end.
#[derive(Clone, Copy, Debug)]
pub struct Folder {
    /// Its permissions.
    pub mode: u32,
    /// Its owner, if that is not the importer.
    pub owner: Option<Owner>,
    /// When it was changed: `None`, now.
    pub time: Option<Time>,
}

impl Folder {
    /// One of which nothing is known.
    pub const USUAL: Self = Self { mode: 0o755, owner: None, time: None };
}

/// Unpacks `archive` below the empty directory `root`. With `below`, it is a
/// layer on top of those (lowest first), and names that begin with `.wh.`
/// delete (OCI image specification, layer.md, "Whiteouts").
///
/// # Errors
/// The archive is damaged or cut short, an entry tries to leave `root` by
/// `..`, it costs too much, or the filesystem refuses one. What was unpacked
/// until then remains.
pub fn unpack(
    archive: impl Read,
    root: &Path,
    below: Option<&[Layer]>,
    budget: &Budget,
) -> Result<Unpacked> {
    let mut unpacker = Unpacker::below(root, below, budget)?;
    let mut tar = Archive::new(archive, budget);
    while let Some(entry) = tar.entry()? {
        let name = || {
            let name = OsStr::from_bytes(&entry.name);
            format!("unpack the entry {}", quoted(name))
        };
        unpacker.add(&entry, &mut tar).with_context(name)?;
    }
    // gzip keeps its checksum, and a filter its exit status, for the very end.
    tar.finish()?;
    let mut unpacked = unpacker.unpacked;
    if below.is_none() {
        unpacked.settle_implied(|_| Folder::USUAL);
    }
    Ok(unpacked)
}

impl Unpacked {
    /// Decides on the directories that the archive did not list.
    pub fn settle_implied(&mut self, folder: impl Fn(&Path) -> Folder) {
        for path in self.implied.drain(..) {
            let folder = folder(&path);
            self.folders.entry(path).or_insert(folder);
        }
    }

    /// Gives directories the modes and times that the archive wants. This
    /// comes last, and deepest first: one without `w` or `x` could not be
    /// filled, and filling one changes its time.
    ///
    /// # Errors
    /// The filesystem refuses.
    pub fn seal(&mut self) -> Result<()> {
        for (path, folder) in self.folders.iter().rev() {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            let open =
                match resolve(&self.root, path, flags | OFlag::O_NOFOLLOW) {
                    Ok(open) => open,
                    // A later entry put something else in its place.
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {
                        continue;
                    }
                    Err(error) => Err(error)
                        .with_context(|| format!("open {}", quoted(path)))?,
                };
            let Folder { mode, owner, time } = *folder;
            // The image itself belongs to the importer: by that, step06 knows
            // whose numbers the owners are.
            let owner = owner.filter(|_| path != Path::new(""));
            let now = Time { seconds: 0, nanoseconds: OMIT };
            let kept = Kept { owner, mode, time: time.unwrap_or(now) };
            kept.put_on(open.as_fd(), &Attributes::new(), &mut self.left_out)
                .with_context(|| format!("finish {}", quoted(path)))?;
        }
        Ok(())
    }
}

/// The directory that something is to lie in.
struct Place {
    folder: OwnedFd,
    /// Where that is below the destination, without a link on the way.
    path: PathBuf,
    name: OsString,
}

impl Place {
    fn stat(&self) -> nix::Result<FileStat> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fstatat(&self.folder, self.name.as_os_str(), flags)
    }
}

/// What unpacks.
struct Unpacker<'a> {
    unpacked: Unpacked,
    budget: &'a Budget,
    below: Option<&'a [Layer]>,
    importer: Importer,
    /// Where the destination is, as the kernel says.
    home: PathBuf,
    /// For contents on their way.
    buffer: Vec<u8>,
    /// The last directory of a layer that was looked for, and where it is.
    last: Option<(PathBuf, PathBuf)>,
}

impl<'a> Unpacker<'a> {
    fn below(
        root: &Path,
        below: Option<&'a [Layer]>,
        budget: &'a Budget,
    ) -> Result<Self> {
        let root: OwnedFd = File::open(root)
            .with_context(|| format!("open {}", root.display()))?
            .into();
        let home = path_of(&root)?;
        let unpacked = Unpacked {
            root,
            entries: 0,
            bytes: 0,
            left_out: LeftOut::default(),
            folders: BTreeMap::new(),
            // Archives rarely list the directory that they were made from.
            implied: vec![PathBuf::new()],
            whiteouts: BTreeSet::new(),
            opaque: BTreeSet::new(),
        };
        let importer = Importer::me();
        let (buffer, last) = (vec![0; 1 << 16], None);
        Ok(Self { unpacked, budget, below, importer, home, buffer, last })
    }

    fn add(
        &mut self,
        entry: &Entry,
        tar: &mut Archive<'_, impl Read>,
    ) -> Result<()> {
        let path = confined(&entry.name)?;
        self.budget.depth(path.components().count())?;
        if self.below.is_some() && self.note_whiteout(&path)? {
            return Ok(());
        }
        let left_out = &mut self.unpacked.left_out;
        if entry.kind == Kind::Device {
            left_out.devices += 1;
            return Ok(());
        }
        left_out.attributes += entry.others;
        match entry.kind {
            Kind::Folder => self.add_folder(entry, &path)?,
            Kind::File => self.add_file(entry, &path, tar)?,
            Kind::Symlink => self.add_symlink(entry, &path)?,
            Kind::Link => self.add_hard_link(entry, &path)?,
            Kind::Fifo | Kind::Device => self.add_fifo(entry, &path)?,
        }
        self.unpacked.entries += 1;
        Ok(())
    }

    /// True when the name was an order to delete, not a file.
    fn note_whiteout(&mut self, path: &Path) -> Result<bool> {
        let (folder, name) = split(path);
        let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") else {
            return Ok(false);
        };
        self.budget.keep(path.as_os_str().len())?;
        let folder = self.layered(folder)?;
        match hidden {
            b".wh..opq" => {
                self.unpacked.opaque.insert(folder);
            }
            // Notes that AUFS kept for itself.
            _ if hidden.starts_with(b".wh.") => {}
            b"" | b"." | b".." => bail!("it deletes no name"),
            _ => {
                let hidden = folder.join(OsStr::from_bytes(hidden));
                self.unpacked.whiteouts.insert(hidden);
            }
        }
        // What was found to be a link below may be gone now.
        self.last = None;
        Ok(true)
    }

    fn add_folder(&mut self, entry: &Entry, path: &Path) -> Result<()> {
        let kept = self.importer.keep(entry, &mut self.unpacked.left_out);
        let mut real = PathBuf::new();
        if path != Path::new("") {
            let place = self.place(path)?;
            let there = place.stat();
            if !there.is_ok_and(|stat| is_directory(stat.st_mode)) {
                self.make_room(&place)?;
                self.make_folder(&place).context("make the directory")?;
            }
            real = place.path.join(&place.name);
        }
        if !entry.attributes.is_empty() {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            let open = resolve(&self.unpacked.root, &real, flags);
            let open = open.context("open the directory")?;
            let open_now = Kept { mode: 0o700, owner: None, ..kept };
            let left_out = &mut self.unpacked.left_out;
            open_now.put_on(open.as_fd(), &entry.attributes, left_out)?;
        }
        let Kept { mode, owner, time } = kept;
        self.budget.keep(real.as_os_str().len())?;
        let folder = Folder { mode, owner, time: Some(time) };
        self.unpacked.folders.insert(real, folder);
        Ok(())
    }

    fn add_file(
        &mut self,
        entry: &Entry,
        path: &Path,
        tar: &mut Archive<'_, impl Read>,
    ) -> Result<()> {
        let place = self.place(path)?;
        self.make_room(&place)?;
        // O_EXCL: what is opened is what was made just now, never a link.
        let flags = OFlag::O_WRONLY
            | OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_CLOEXEC
            | OFlag::O_LARGEFILE;
        let private = Mode::S_IRUSR | Mode::S_IWUSR;
        let name = place.name.as_os_str();
        let mut file: File = openat(&place.folder, name, flags, private)
            .context("make the file")?
            .into();
        self.fill(&mut file, entry, tar)?;
        let left_out = &mut self.unpacked.left_out;
        let kept = self.importer.keep(entry, left_out);
        kept.put_on(file.as_fd(), &entry.attributes, left_out)
    }

    /// Puts the pieces of a file where they belong. Between them nothing is
    /// written: the filesystem shows zeros there, and takes no room for them.
    fn fill(
        &mut self,
        file: &mut File,
        entry: &Entry,
        tar: &mut Archive<'_, impl Read>,
    ) -> Result<()> {
        let stored: u64 = entry.map.pieces.iter().map(|p| p.length).sum();
        self.budget.spend(entry.map.size - stored)?;
        let mut at = 0;
        // An empty one at the end stands for a hole there: nothing is written.
        let pieces = entry.map.pieces.iter().filter(|p| p.length > 0);
        for piece in pieces {
            if piece.offset != at {
                file.seek(SeekFrom::Start(piece.offset)).context("seek")?;
            }
            at = piece.offset + piece.length;
            let mut left = piece.length;
            while left > 0 {
                let wanted = left.min(self.buffer.len() as u64);
                let wanted = usize::try_from(wanted)?;
                let count = tar.read(&mut self.buffer[..wanted])?;
                ensure!(count > 0, "the archive is cut short");
                file.write_all(&self.buffer[..count]).context("write it")?;
                left -= count as u64;
            }
        }
        if at != entry.map.size {
            file.set_len(entry.map.size)
                .context("make it as long as it is")?;
        }
        self.unpacked.bytes += entry.map.size;
        Ok(())
    }

    fn add_symlink(&mut self, entry: &Entry, path: &Path) -> Result<()> {
        ensure!(!entry.link.is_empty(), "it has no target");
        let place = self.place(path)?;
        self.make_room(&place)?;
        self.last = None;
        let name = place.name.as_os_str();
        // Only text: where it leads is decided when it is followed.
        symlinkat(OsStr::from_bytes(&entry.link), &place.folder, name)
            .context("make the symbolic link")?;
        self.put_on_name(entry, &place, false)
    }

    fn add_hard_link(&mut self, entry: &Entry, path: &Path) -> Result<()> {
        ensure!(!entry.link.is_empty(), "it has no target");
        let target = confined(&entry.link)?;
        let source = self.place(&target)?;
        let place = self.place(path)?;
        let same = |stat: FileStat| (stat.st_dev, stat.st_ino);
        let is_there = source.stat().ok().map(same);
        if is_there.is_some() && is_there == place.stat().ok().map(same) {
            return Ok(());
        }
        let shown = quoted(&target);
        ensure!(is_there.is_some(), "hard link it to {shown}: it is missing");
        self.make_room(&place)?;
        // No AT_SYMLINK_FOLLOW: a link to a symbolic link is one more name
        // for the link, not for the host's file that it may point to.
        linkat(
            &source.folder,
            source.name.as_os_str(),
            &place.folder,
            place.name.as_os_str(),
            AtFlags::empty(),
        )
        .with_context(|| format!("hard link it to {shown}"))
    }

    fn add_fifo(&mut self, entry: &Entry, path: &Path) -> Result<()> {
        let place = self.place(path)?;
        self.make_room(&place)?;
        let name = place.name.as_os_str();
        mkfifoat(&place.folder, name, Mode::S_IRUSR | Mode::S_IWUSR)
            .context("make the fifo")?;
        self.put_on_name(entry, &place, true)
    }

    /// Owner, time and, if it has one, the mode of what was made.
    fn put_on_name(
        &mut self,
        entry: &Entry,
        place: &Place,
        has_mode: bool,
    ) -> Result<()> {
        let left_out = &mut self.unpacked.left_out;
        let mut kept = self.importer.keep(entry, left_out);
        if !has_mode {
            kept.mode = 0;
        }
        left_out.attributes += entry.attributes.len() as u64;
        let name = place.name.as_os_str();
        kept.put_on_name(&place.folder, name, has_mode, left_out)
    }

    /// The directory that `path` is to lie in, made where it is missing.
    fn place(&mut self, path: &Path) -> Result<Place> {
        let (folder, name) = split(path);
        ensure!(!name.is_empty(), "it would replace the directory itself");
        let real = self.layered(folder)?;
        let open = self.folder(&real)?;
        let path = path_of(&open)?;
        let path = path.strip_prefix(&self.home);
        let path = path.context("find it below the destination")?;
        let path = path.to_path_buf();
        Ok(Place { folder: open, path, name: name.to_os_string() })
    }

    /// Opens a directory, made where it is missing.
    fn folder(&mut self, path: &Path) -> Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let found = match resolve(&self.unpacked.root, path, flags) {
            Err(Errno::ENOENT) => {
                let place = self.place(path)?;
                self.make_folder(&place)
                    .with_context(|| format!("make {}", quoted(path)))?;
                self.budget.keep(path.as_os_str().len())?;
                let made = place.path.join(&place.name);
                self.unpacked.implied.push(made);
                resolve(&self.unpacked.root, path, flags)
            }
            found => found,
        };
        found.with_context(|| {
            format!("find {} in the destination", quoted(path))
        })
    }

    fn make_folder(&self, place: &Place) -> Result<()> {
        // Where it lies: through links an entry with a short name can get to
        // any depth.
        self.budget.depth(place.path.components().count() + 1)?;
        let name = place.name.as_os_str();
        Ok(mkdirat(&place.folder, name, Mode::S_IRWXU)?)
    }

    /// Where a directory of a layer is: behind the links of this layer and of
    /// those below. A whole tree is resolved by the kernel.
    fn layered(&mut self, folder: &Path) -> Result<PathBuf> {
        let Some(below) = self.below else { return Ok(folder.to_path_buf()) };
        if let Some((last, real)) = &self.last {
            if last == folder {
                return Ok(real.clone());
            }
        }
        let real = through_links(&self.unpacked, below, folder)?;
        self.last = Some((folder.to_path_buf(), real.clone()));
        Ok(real)
    }

    /// Removes what an earlier entry has put under this name: later ones win.
    fn make_room(&mut self, place: &Place) -> Result<()> {
        let name = place.name.as_os_str();
        let unlink = |flag| unlinkat(&place.folder, name, flag);
        let removed = match unlink(UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => unlink(UnlinkatFlags::RemoveDir),
            removed => removed,
        };
        match removed {
            Err(Errno::ENOENT) => Ok(()),
            Ok(()) => {
                self.last = None;
                Ok(())
            }
            Err(error) => Err(error).context("replace an earlier entry"),
        }
    }
}

impl Unpacked {
    /// What a path without links is in this tree alone, if it is there.
    pub fn stat(&self, path: &Path) -> nix::Result<FileStat> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fstatat(&self.root, path, flags)
    }

    /// What a link in this tree leads to.
    pub fn link(&self, path: &Path) -> nix::Result<PathBuf> {
        nix::fcntl::readlinkat(&self.root, path).map(PathBuf::from)
    }
}

/// Opens `path` as if the destination were `/` (openat2(2), Linux 5.6).
fn resolve(root: &OwnedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let path = if path == Path::new("") { Path::new(".") } else { path };
    open_within(root, path, flags, ResolveFlag::RESOLVE_NO_MAGICLINKS)
}

/// Where an open directory is.
fn path_of(open: &OwnedFd) -> Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", open.as_raw_fd());
    // ENAMETOOLONG: no path leads there any more.
    fs::read_link(link).context("ask /proc where a directory is")
}

/// The path below the destination that an archive's name stands for. A slash
/// in front is dropped, as tar(1) does; `..` has no honest use: an error.
fn confined(name: &[u8]) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::ParentDir => bail!(
                "{} leaves the destination; do not trust this archive",
                quoted(OsStr::from_bytes(name))
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

fn is_directory(mode: u32) -> bool {
    SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR
}
