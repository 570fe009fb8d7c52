//! The workshop's own folder, in which it keeps locks and records.
//!
//! A path is a word; what lies there, somebody else may have put there, most
//! of all in /tmp. So the folder is opened first and then looked at: it must
//! belong to whoever runs this, and to nobody beside. All that is in it is
//! reached by that descriptor (openat(2)), and never by the path again.
//!
//! ```text
//! /run/workshop               of root
//! $XDG_RUNTIME_DIR/workshop   of others
//! /tmp/workshop-UID           of others without that
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Uid, UnlinkatFlags, geteuid, unlinkat};

use crate::failure::Advice;
use crate::stat::{FileStat, fstat, fstatat};

/// A folder of our own that is open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// A folder, whatever it is called; never what a symbolic link leads to.
const FOLDER: OFlag =
    OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Folder {
    /// The folder of all folders, if there is one.
    ///
    /// # Errors
    /// When it belongs to somebody else, or others may write to it.
    pub fn base() -> Result<Option<Folder>> {
        let (above, name) = place()?;
        above.open_if_there(&name)
    }

    fn open_if_there(&self, name: &str) -> Result<Option<Folder>> {
        match self.open(name) {
            Err(error) if is_missing(&error) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The same, made if it is missing. It goes with the last thing in it.
    ///
    /// # Errors
    /// As above, and as for mkdir(2).
    pub fn make_base() -> Result<Folder> {
        let (above, name) = place()?;
        loop {
            match above.make(&name) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => {
                    return Err(errno).with_context(|| {
                        format!("make {}", above.path.join(&name).display())
                    });
                }
            }
            match above.open(&name) {
                // The last one out was here in between.
                Err(error) if is_missing(&error) => continue,
                opened => return opened,
            }
        }
    }

    /// Removes the folder of all folders, if nothing is in it.
    pub fn remove_base() {
        if let Ok((above, name)) = place() {
            let flag = UnlinkatFlags::RemoveDir;
            let _ = unlinkat(&above.descriptor, &*name, flag);
        }
    }

    /// A folder that is there, which nobody but root and its owner can put
    /// another one in the place of.
    ///
    /// # Errors
    /// As for open(2); and when others may write to it.
    pub fn at(path: &Path) -> Result<Folder> {
        above(path)
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands for it, for calls that have no method here.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Makes a folder in it, for its owner only.
    ///
    /// # Errors
    /// EEXIST when there is something of that name.
    pub fn make(&self, name: &str) -> nix::Result<()> {
        mkdirat(&self.descriptor, name, Mode::S_IRWXU)
    }

    /// Opens a folder in it.
    ///
    /// # Errors
    /// As for open(2); and when it belongs to somebody else, or others may
    /// write to it.
    pub fn open(&self, name: &str) -> Result<Folder> {
        let path = self.path.join(name);
        let descriptor = openat(&self.descriptor, name, FOLDER, Mode::empty())
            .with_context(|| format!("open {}", path.display()))
            .map_err(|error| match error.downcast_ref() {
                // What is a file, or a link, is no folder of ours.
                Some(Errno::ELOOP | Errno::ENOTDIR) => not_yours(&path),
                _ => error,
            })?;
        let found = fstat(&descriptor)
            .with_context(|| format!("look at {}", path.display()))?;
        if !is_own(&found) {
            return Err(not_yours(&path)).advice(
                "set XDG_RUNTIME_DIR to a folder of your own, mode 0700",
            );
        }
        // What is in there may be secret, as the values of --env are.
        if found.st_mode & 0o077 != 0 {
            fchmod(&descriptor, Mode::S_IRWXU)
                .with_context(|| format!("close {}", path.display()))?;
        }
        Ok(Folder { path, descriptor })
    }

    /// Opens a file in it, however large (O_LARGEFILE); if the flags make it,
    /// for its owner only.
    ///
    /// # Errors
    /// ELOOP for a symbolic link, and as for open(2).
    pub fn file(&self, name: &str, flags: OFlag) -> nix::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let flags = flags | OFlag::O_LARGEFILE;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        openat(&self.descriptor, name, flags, mode).map(File::from)
    }

    /// Reads a file in it whole.
    ///
    /// # Errors
    /// As above.
    pub fn read(&self, name: &str) -> io::Result<String> {
        let mut text = String::new();
        self.file(name, OFlag::O_RDONLY)?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Gives a file in it another name, and takes that from whatever has it.
    pub fn rename(&self, from: &str, to: &str) -> nix::Result<()> {
        renameat(&self.descriptor, from, &self.descriptor, to)
    }

    /// What is known of one thing in it.
    ///
    /// # Errors
    /// ENOENT when there is none of that name.
    pub fn look(&self, name: &str) -> nix::Result<FileStat> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fstatat(&self.descriptor, name, flags)
    }

    /// Is there anything of that name?
    pub fn has(&self, name: &str) -> bool {
        self.look(name).is_ok()
    }

    /// The names of all that is in it.
    pub fn names(&self) -> nix::Result<Vec<String>> {
        let mut dir =
            Dir::openat(&self.descriptor, ".", FOLDER, Mode::empty())?;
        let names = dir
            .iter()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name != "." && name != "..").collect())
    }

    /// Removes a file in it.
    pub fn remove_file(&self, name: &str) -> nix::Result<()> {
        unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir)
    }

    /// Removes a folder in it with the files that are in that.
    ///
    /// # Errors
    /// ENOTEMPTY when there are more than files.
    pub fn remove(&self, name: &str) -> Result<()> {
        let folder = self.open(name)?;
        for file in folder.names()? {
            folder.remove_file(&file).with_context(|| {
                format!("remove {}", folder.path.join(file).display())
            })?;
        }
        unlinkat(&self.descriptor, name, UnlinkatFlags::RemoveDir)
            .with_context(|| format!("remove {}", folder.path.display()))
    }

    /// Another descriptor of the same folder.
    ///
    /// # Errors
    /// EMFILE.
    pub fn try_clone(&self) -> io::Result<Folder> {
        let descriptor = self.descriptor.try_clone()?;
        Ok(Folder { path: self.path.clone(), descriptor })
    }
}

/// The folder above the folder of all folders, and what that is called.
///
/// XDG_RUNTIME_DIR is a folder of the user's own, made at login. What is not
/// absolute is to be ignored (XDG Base Directory Specification), and what is
/// somebody else's has come along with sudo(8) or su(1).
fn place() -> Result<(Folder, String)> {
    let user = geteuid();
    if user.is_root() {
        return Ok((above(Path::new("/run"))?, "workshop".into()));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(path) = runtime.filter(|path| path.is_absolute()) {
        let folder = above(&path);
        let is_own = |folder: &Folder| {
            fstat(&folder.descriptor).is_ok_and(|found| is_own(&found))
        };
        if let Some(folder) = folder.ok().filter(is_own) {
            return Ok((folder, "workshop".into()));
        }
    }
    Ok((above(Path::new("/tmp"))?, format!("workshop-{user}")))
}

/// Opens it, if nobody but root and its owner can take a folder out of it
/// again that is not theirs.
fn above(path: &Path) -> Result<Folder> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let descriptor = openat(AT_FDCWD, path, flags, Mode::empty())
        .with_context(|| format!("open {}", path.display()))?;
    let found = fstat(&descriptor)
        .with_context(|| format!("look at {}", path.display()))?;
    let owner = Uid::from_raw(found.st_uid);
    let is_sticky = found.st_mode & libc::S_ISVTX != 0;
    let is_safe = (owner.is_root() || owner == geteuid())
        && (found.st_mode & 0o022 == 0 || is_sticky);
    match is_safe {
        true => Ok(Folder { path: path.into(), descriptor }),
        false => Err(anyhow!(
            "trust {}: anybody may exchange what is in it",
            path.display()
        )),
    }
}

fn is_own(found: &FileStat) -> bool {
    found.st_uid == geteuid().as_raw() && found.st_mode & 0o022 == 0
}

fn not_yours(path: &Path) -> anyhow::Error {
    anyhow!("{} does not belong to you alone", path.display())
}

/// Does this error of [`Folder::open`] say that there is none?
pub fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref() == Some(&Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("look at it").mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode))
            .expect("change its mode");
    }

    fn closes_on_exec(descriptor: &impl std::os::fd::AsFd) -> bool {
        let flags = fcntl(descriptor, FcntlArg::F_GETFD).expect("its flags");
        flags & FdFlag::FD_CLOEXEC.bits() != 0
    }

    #[test]
    fn a_folder_in_it_is_for_its_owner_alone() {
        let test = witness::Folder::new();
        let folder = above(test.path()).expect("a folder of ours");
        let path = test.join("own");
        folder.make("own").expect("make one");
        assert_eq!(mode(&path), 0o700);
        assert_eq!(folder.make("own"), Err(Errno::EEXIST));
        // One that others may read is closed; one that is closed stays.
        for (before, after) in [(0o755, 0o700), (0o701, 0o700), (0o500, 0o500)]
        {
            set_mode(&path, before);
            let own = folder.open("own").expect("ours");
            assert_eq!(own.path(), path);
            assert_eq!(mode(&path), after, "{before:o}");
            assert!(closes_on_exec(&own.descriptor));
        }
    }

    #[test]
    fn what_others_could_have_made_is_not_opened() {
        let test = witness::Folder::new();
        let folder = above(test.path()).expect("a folder of ours");
        let is_refused = |name: &str| {
            let error = folder.open(name).expect_err("not ours");
            assert!(!is_missing(&error), "{error:#}");
            error.to_string().contains("belong to you alone")
        };
        folder.make("own").expect("make one");
        for open_to in [0o720, 0o702] {
            set_mode(&test.join("own"), open_to);
            assert!(is_refused("own"), "{open_to:o}");
        }
        set_mode(&test.join("own"), 0o700);
        symlink("own", test.join("link")).expect("make a link");
        fs::write(test.join("file"), "").expect("make a file");
        assert!(is_refused("link") && is_refused("file"));
        let gone = folder.open("gone").expect_err("there is none");
        assert!(is_missing(&gone), "{gone:#}");
        let found = ["gone", "own", "link"].map(|name| {
            let found = folder.open_if_there(name);
            found.ok().map(|folder| folder.is_some())
        });
        assert_eq!(found, [Some(false), Some(true), None]);
        if geteuid().is_root() {
            let nobody = Some(65534);
            chown(test.join("own"), nobody, nobody).expect("give it away");
            assert!(is_refused("own"));
        }
    }

    #[test]
    fn above_is_what_nobody_can_exchange_folders_in() {
        let test = witness::Folder::new();
        let is_safe = |mode| {
            set_mode(test.path(), mode);
            above(test.path()).is_ok()
        };
        let safe = [0o755, 0o700, 0o1777, 0o1722].map(is_safe);
        let open = [0o777, 0o775, 0o757].map(is_safe);
        assert_eq!((safe, open), ([true; 4], [false; 3]));
        set_mode(test.path(), 0o755);
        let folder = above(test.path()).expect("a folder of ours");
        assert!(closes_on_exec(&folder.descriptor));
        fs::write(test.join("file"), "").expect("make a file");
        assert!(above(&test.join("file")).is_err(), "it is no folder");
        if geteuid().is_root() {
            chown(test.path(), Some(65534), None).expect("give it away");
            assert!(above(test.path()).is_err(), "it is nobody's");
        }
    }

    #[test]
    fn files_are_reached_by_the_folder_and_by_no_link() {
        let test = witness::Folder::new();
        let folder = above(test.path()).expect("a folder of ours");
        let make = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let file = folder.file("file", make).expect("make a file");
        assert!(closes_on_exec(&file));
        assert_eq!(mode(&test.join("file")), 0o600);
        let again = folder.file("file", make).map(drop);
        assert_eq!(again, Err(Errno::EEXIST), "the flags count");
        fs::write(test.join("file"), "words").expect("write them");
        assert_eq!(folder.read("file").expect("read it"), "words");
        symlink("file", test.join("link")).expect("make a link");
        let link = folder.file("link", OFlag::O_RDONLY).map(drop);
        assert_eq!(link, Err(Errno::ELOOP));
        let kind =
            |name| folder.look(name).map(|it| it.st_mode & libc::S_IFMT);
        assert_eq!(kind("link"), Ok(libc::S_IFLNK));
        assert_eq!(kind("file"), Ok(libc::S_IFREG));
        assert!(folder.has("link") && !folder.has("gone"));
        let mut names = folder.names().expect("list it");
        names.sort();
        assert_eq!(names, ["file", "link"]);
        folder.rename("file", "link").expect("take its name");
        let twin = folder.try_clone().expect("another descriptor");
        assert_eq!(twin.names().expect("list it"), ["link"]);
        assert_eq!(twin.path(), test.path());
        folder.remove_file("link").expect("remove it");
        assert!(!folder.has("link"));
    }

    #[test]
    fn a_folder_goes_with_its_files_but_not_with_folders() {
        let test = witness::Folder::new();
        let folder = above(test.path()).expect("a folder of ours");
        folder.make("own").expect("make one");
        fs::write(test.join("own/file"), "").expect("make a file");
        folder.remove("own").expect("remove it");
        assert!(!folder.has("own"));
        fs::create_dir_all(test.join("own/deep")).expect("make folders");
        set_mode(&test.join("own"), 0o700);
        assert!(folder.remove("own").is_err(), "the control");
        assert!(folder.has("own"));
    }

    #[test]
    fn the_folder_of_all_folders_is_one_and_ours() {
        let base = Folder::make_base().expect("make it");
        let name = base.path().file_name().expect("a name");
        assert!(name.to_string_lossy().starts_with("workshop"));
        let found = fstat(&base.descriptor).expect("look at it");
        assert!(is_own(&found) && found.st_mode & 0o077 == 0);
        // With something in it, nobody takes it away.
        let name = format!(".test-{}", std::process::id());
        let make = OFlag::O_WRONLY | OFlag::O_CREAT;
        witness::eventually("a file in it", || {
            let base = Folder::make_base().expect("make it");
            base.file(&name, make).is_ok()
        });
        Folder::remove_base();
        let same = Folder::base().expect("look for it").expect("it is there");
        assert!(same.has(&name), "the control");
        same.remove_file(&name).expect("remove it");
        Folder::remove_base();
    }
}
