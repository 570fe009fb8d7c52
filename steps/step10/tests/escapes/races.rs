//! Races for a mount point: a folder of the image is exchanged for a symbolic
//! link, between the moment at which it is checked and the moment at which it
//! is used.
//!
//! A container takes milliseconds to start and microseconds for this. So it is
//! step03's own functions that are called here, hundreds of times, in mounts
//! of the test's thread.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use step03::furnish;
use step03::volumes::{Volume, attach_all, open_all, parse};
use witness::{Covers, Machine, eventually};

use crate::volumes::Image;

const ROUNDS: usize = 200;

#[test]
fn a_race_for_the_target_is_not_won() {
    let _machine = Machine::new();
    let image = Image::new();
    let _mounts = Covers::new();
    let volume = image.folder.text("volume");
    let mut attached = 0;
    image.race(["folder", "link"], || {
        for round in 0..ROUNDS {
            let target = format!("{volume}:/folder/deep{round}/er");
            let wanted = parse(&target).expect("a volume");
            let volumes = open_all(&[wanted]).expect("open the volume");
            attached +=
                usize::from(attach_all(&volumes, &image.root()).is_ok());
            assert!(image.holds(), "lost in round {round}");
        }
    });
    assert!(attached > 0, "no volume was ever attached");
    // The control: check first, then use the path. That race is lost sooner or
    // later.
    let folder = image.root().join("folder");
    let mut round = 0;
    image.race(["folder", "link"], || {
        eventually("the race to be lost by looking first", || {
            for _ in 0..ROUNDS {
                round += 1;
                if folder
                    .canonicalize()
                    .is_ok_and(|path| path.starts_with(image.root()))
                {
                    let _ = fs::create_dir(folder.join(round.to_string()));
                }
            }
            !image.holds()
        });
    });
}

/// An image with the three folders that are mounted on.
fn image_to_furnish() -> Image {
    let image = Image::new();
    for name in ["proc", "sys", "dev"] {
        fs::create_dir(image.root().join(name)).expect("make a folder");
    }
    image
}

#[test]
fn nor_is_one_for_proc_sys_and_dev() {
    let _machine = Machine::new();
    for name in ["proc", "sys", "dev"] {
        let image = image_to_furnish();
        let mut furnished = 0;
        image.race([name, "link"], || {
            for round in 0..ROUNDS {
                let _mounts = Covers::new();
                furnished += usize::from(furnish(&image.root()).is_ok());
                assert!(image.holds(), "lost {name} in round {round}");
            }
        });
        assert!(furnished > 0, "{name} was never mounted");
    }
    // The control: look first, then mount by the path.
    let image = image_to_furnish();
    let dev = image.root().join("dev");
    let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
    image.race(["dev", "link"], || {
        eventually("the race to be lost by looking first", || {
            let _mounts = Covers::new();
            for _ in 0..ROUNDS {
                let found = dev.symlink_metadata();
                if found.is_ok_and(|found| found.is_dir()) {
                    let _ = mount(kind, &dev, kind, flags, None::<&str>);
                }
            }
            !image.holds()
        });
    });
}

#[test]
fn nor_is_one_for_the_mode_of_what_was_made() {
    let _machine = Machine::new();
    let image = Image::new();
    let _mounts = Covers::new();
    let secret = image.folder.join("secret");
    fs::write(&secret, "").expect("write a file");
    let hidden = Permissions::from_mode(0o600);
    fs::set_permissions(&secret, hidden.clone()).expect("hide it");
    symlink(&secret, image.root().join("trap")).expect("make a link");
    let is_hidden = || {
        let mode = secret.metadata().expect("the file").permissions();
        mode.mode() & 0o777 == 0o600
    };
    let (new, trap) = (image.root().join("new"), image.root().join("trap"));
    // Until only the trap is left: then there is nothing to exchange.
    let clear = || {
        while new.symlink_metadata().is_ok() {
            for name in [&new, &trap] {
                let _ = fs::remove_dir(name.join("er"));
                let _ = fs::remove_dir(name);
            }
            if new.is_symlink() {
                let _ = fs::rename(&new, &trap);
            }
        }
    };
    let volumes = a_volume_without_mount(&image);
    image.race(["new", "trap"], || {
        for round in 0..5 * ROUNDS {
            let _ = attach_all(&volumes, &image.root());
            // The guard: the mode is not set through a link.
            assert!(is_hidden(), "lost in round {round}");
            clear();
        }
    });
    // The control: chmod(2) follows links.
    image.race(["new", "trap"], || {
        eventually("the race for the mode to be lost", || {
            for _ in 0..ROUNDS {
                clear();
                if fs::create_dir(&new).is_ok() {
                    let mode = Permissions::from_mode(0o755);
                    let _ = fs::set_permissions(&new, mode);
                }
            }
            !is_hidden()
        });
    });
}

/// A volume whose folders are made, but which is never mounted there: that
/// has happened once already, and a mount can be attached only once.
fn a_volume_without_mount(image: &Image) -> Vec<Volume> {
    let volume = format!("{}:/new/er", image.folder.text("volume"));
    let wanted = parse(&volume).expect("a volume");
    let volumes = open_all(&[wanted]).expect("open the volume");
    attach_all(&volumes, &image.outside).expect("use it up");
    let place = image.outside.join("new/er");
    umount2(&place, MntFlags::MNT_DETACH).expect("unmount it");
    volumes
}
