//! Images with all that is hard to copy, on filesystems of different kinds.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use witness::{Covers, Folder};

use crate::{copy_rootfs, program, text};

/// An image in a folder of cargo's, which is on a disk.
pub struct Image {
    pub folder: Folder,
}

impl Image {
    /// Makes one that belongs to this user and group.
    pub fn of(owner: u32) -> Image {
        Image::below(Path::new(env!("CARGO_TARGET_TMPDIR")), owner)
    }

    /// One of root's that everybody can find: cargo's folder may lie in a home
    /// that is closed to others.
    pub fn for_all() -> Image {
        Image::below(Path::new("/var/tmp"), 0)
    }

    fn below(place: &Path, owner: u32) -> Image {
        let folder = Folder::below(place);
        let image = Image { folder };
        let path = image.path();
        copy_rootfs(&path);
        fs::create_dir(path.join("odd")).expect("make a folder");
        let file = |name, mode| {
            let path = path.join("odd").join(name);
            fs::write(&path, "as it was\n").expect("write a file");
            (path, Permissions::from_mode(mode))
        };
        let files = [file("setuid", 0o4755), file("one", 0o640)];
        fs::hard_link(&files[1].0, path.join("odd/another")).expect("link");
        symlink("one", path.join("odd/link")).expect("link");
        symlink("/nowhere", path.join("odd/broken")).expect("link");
        let owners = format!("{owner}:{owner}");
        program("chown", &["-hR", &owners, text(&path)]);
        // chown(2) takes a setuid bit away.
        for (path, mode) in files {
            fs::set_permissions(path, mode).expect("set a mode");
        }
        image
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("image")
    }

    pub fn text(&self) -> String {
        self.folder.text("image")
    }

    /// Everything about it that must never change.
    pub fn as_it_is(&self) -> String {
        let what = "%p %U:%G %m %n %s %l %T@\n";
        program("find", &[&self.text(), "-printf", what])
    }

    /// The same files on an overlay: a filesystem that cannot show them with
    /// other owners. Only the calling thread sees it.
    pub fn on_an_overlay(&self, _thread: &Covers) -> String {
        let (empty, merged) = ("empty", "merged");
        for folder in [empty, merged] {
            fs::create_dir(self.folder.join(folder)).expect("make a folder");
        }
        let options =
            format!("lowerdir={}:{}", self.text(), self.folder.text(empty));
        let (kind, merged) = (Some("overlay"), self.folder.text(merged));
        let flags = MsFlags::MS_RDONLY;
        mount(kind, merged.as_str(), kind, flags, Some(options.as_str()))
            .expect("mount an overlay");
        merged
    }

    /// The same files on a tmpfs.
    pub fn on_a_tmpfs(&self, _thread: &Covers) -> String {
        let place = self.folder.text("tmpfs");
        fs::create_dir(&place).expect("make a folder");
        let kind = Some("tmpfs");
        mount(kind, place.as_str(), kind, MsFlags::empty(), Some("mode=755"))
            .expect("mount a tmpfs");
        let copy = place + "/image";
        program("cp", &["-a", &self.text(), &copy]);
        copy
    }

    /// The disk must be one that can show other owners.
    pub fn assert_on_a_disk(&self) {
        let kind = program("stat", &["-f", "-c", "%T", &self.text()]);
        let able = ["ext2/ext3", "xfs", "btrfs"];
        assert!(
            able.contains(&kind.trim()),
            "this test needs cargo's target folder on ext4, xfs or btrfs, \
             which can show other owners; it is on {kind}"
        );
    }
}
