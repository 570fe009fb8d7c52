//! A target of `--volume` that turns into a symbolic link.
//!
//! The launcher makes the folders of the target and mounts on them before the
//! new root is its own, with more rights than the image's author has. So an
//! image that leads out of itself would have it make folders on the machine
//! (CVE-2021-30465).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sched::{CloneFlags, unshare};
use witness::{Folder, Machine, Report, mounts, run};

use crate::STEP10;

/// An image with folders, and a folder outside that everybody may write to.
pub struct Image {
    pub folder: Folder,
    pub outside: PathBuf,
}

impl Image {
    pub fn new() -> Image {
        // Not in /tmp, which the container covers while it is assembled, and
        // not in a home, where root inside may not look for anything.
        let folder = Folder::below(Path::new("/var/tmp"));
        let outside = folder.join("outside");
        for name in ["outside", "volume", "image/folder"] {
            fs::create_dir_all(folder.join(name)).expect("make folders");
        }
        fs::set_permissions(&outside, Permissions::from_mode(0o777))
            .expect("open it to all");
        symlink(&outside, folder.join("image/link")).expect("make a link");
        let image = Image { folder, outside };
        fs::create_dir_all(image.namesake()).expect("make folders");
        image
    }

    /// What has the same path inside as `outside` has on the machine.
    fn namesake(&self) -> PathBuf {
        let path = self.outside.strip_prefix("/").expect("a path from /");
        self.root().join(path)
    }

    pub fn root(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// Is the folder outside as it was?
    pub fn holds(&self) -> bool {
        let mut entries = fs::read_dir(&self.outside).expect("look outside");
        entries.next().is_none()
            && !mounts("thread-self").iter().any(|mount| {
                Path::new(&mount.point).starts_with(&self.outside)
            })
    }

    /// Calls `work` while another thread exchanges two entries of the image
    /// as fast as it can, and makes sure that it has.
    pub fn race(&self, names: [&str; 2], work: impl FnOnce()) {
        let is_over = AtomicBool::new(false);
        let [one, other] = names.map(|name| self.root().join(name));
        thread::scope(|scope| {
            let racer = scope.spawn(|| {
                // Or the other thread could not change its mount namespace:
                // threads share their root directory (setns(2), EINVAL).
                unshare(CloneFlags::CLONE_FS).expect("share nothing");
                let mut exchanges = 0;
                while !is_over.load(Ordering::Relaxed) {
                    exchanges += usize::from(exchange(&one, &other));
                }
                exchanges
            });
            let end = End(&is_over);
            work();
            drop(end);
            let exchanges = racer.join().expect("the other thread");
            assert!(exchanges > 0, "there was no race");
        });
    }

    /// Starts a container with a volume at `target`, and prints its mounts.
    fn start(&self, target: &str) -> Report {
        let rootfs = step03::rootfs::default_path().expect("a target folder");
        step03::rootfs::ensure(&rootfs).expect("make the root filesystem");
        let volume = format!("{}:{target}", self.folder.text("volume"));
        let image = [rootfs, self.root()];
        let [lower, upper] = image.each_ref().map(|path| path.to_str());
        let [lower, upper] = [lower, upper].map(|it| it.expect("plain paths"));
        let alone = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP10, "-q"];
        let image = ["--image", lower, "--image", upper, "--network", "none"];
        let command = ["--volume", &volume, "cat", "/proc/self/mountinfo"];
        run("env", &[&alone[..], &image, &command].concat())
    }
}

/// Ends a race, even when `work` fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn exchange(one: &Path, other: &Path) -> bool {
    let flags = RenameFlags::RENAME_EXCHANGE;
    renameat2(AT_FDCWD, one, AT_FDCWD, other, flags).is_ok()
}

#[test]
fn a_link_of_the_image_leads_nowhere_else() {
    let _machine = Machine::new();
    let image = Image::new();
    let link = |target: &str, name: &str| {
        symlink(target, image.root().join(name)).expect("make a link");
    };
    let outside = image.outside.display();
    link(&format!("{}{outside}", "../".repeat(40)), "up");
    link("/proc/self/root", "magic");
    // The guard: openat2(2) with RESOLVE_IN_ROOT. A link is followed as it
    // will be inside, and so are more `..` than there are folders.
    for name in ["link", "up"] {
        let report = image.start(&format!("/{name}/deep"));
        let place = format!(" {outside}/deep ");
        assert!(report.stdout.contains(&place), "{}", report.stderr);
        assert!(image.holds(), "{name}");
    }
    // Magic links, which have no path, are not followed at all: EXDEV.
    let report = image.start("/magic/var/tmp/deep");
    assert_eq!((report.status, &*report.stdout), (125, ""));
    assert!(report.stderr.contains("EXDEV"), "{}", report.stderr);
    // The control: following the link by its path leads outside.
    fs::create_dir(image.root().join("link/deep")).expect("make a folder");
    assert!(!image.holds());
}

#[test]
fn a_container_can_be_started_during_the_race() {
    let _machine = Machine::new();
    let image = Image::new();
    image.race(["folder", "link"], || {
        let mut started = 0;
        while started < 10 {
            let report = image.start("/folder/deep");
            // EAGAIN, EEXIST, ENOENT: it was noticed, and nothing was started.
            assert!([0, 125].contains(&report.status), "{}", report.stderr);
            assert!(image.holds());
            started += usize::from(report.status == 0);
        }
    });
}

/// Where one container has as a volume what another one writes to, the first
/// can prepare it: the next launcher, who is root, gives it away.
#[test]
fn no_folder_for_writes_is_given_away_through_a_link() {
    let _machine = Machine::new();
    let folder = Folder::below(Path::new("/var/tmp"));
    let writes = folder.text("writes");
    let start = || {
        let person = ["SUDO_UID=1500", "SUDO_GID=1500", STEP10, "-q"];
        let flags = ["--network", "none", "--upper", &writes, "true"];
        run("env", &[&person[..], &flags].concat())
    };
    let owner_of =
        |name: &str| folder.join(name).metadata().expect("look at it").uid();
    for name in ["outside", "writes"] {
        fs::create_dir(folder.join(name)).expect("make folders");
    }
    symlink("../outside", folder.join("writes/upper")).expect("make a link");
    // The guard: step04 takes a link for no folder, and chown(2) would not
    // follow it (AT_SYMLINK_NOFOLLOW).
    let report = start();
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(report.stderr.contains("File exists"), "{}", report.stderr);
    assert_eq!(owner_of("outside"), 0);
    // The control: a folder is given to root inside.
    fs::remove_file(folder.join("writes/upper")).expect("remove the link");
    let report = start();
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(owner_of("writes/upper"), 1500);
}

/// A mask is a bind of /dev/null. If it were whatever has that name when the
/// volumes are mounted, writing to the mask would be writing there: to
/// core_pattern, for one (CVE-2025-31133).
#[test]
fn a_mask_is_the_machines_null_and_not_a_volumes() {
    let _machine = Machine::new();
    let folder = Folder::below(Path::new("/var/tmp"));
    let null = folder.join("null");
    fs::write(&null, "as it was\n").expect("write a file");
    let volume = format!("{}:/dev", folder.text(""));
    let script = "cat /dev/null; echo other >/proc/keys; \
        grep ' /proc/keys ' /proc/self/mountinfo";
    let network = ["--network", "none", "--volume", &volume];
    let command = ["--", "sh", "-c", script];
    let flags = [&["-q"][..], &crate::IDENTITY, &network, &command].concat();
    let report = run(STEP10, &flags);
    let (control, mount) = report.stdout.split_once('\n').expect("two lines");
    assert_eq!(control, "as it was", "the control: {}", report.stderr);
    assert!(mount.contains(" /null /proc/keys ro"), "{mount}");
    let text = fs::read_to_string(&null).expect("read it");
    assert_eq!(text, "as it was\n");
}
