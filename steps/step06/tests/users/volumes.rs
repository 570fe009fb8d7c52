//! Files of the machine: what counts is the number outside.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use witness::{Folder, Machine, run};

use crate::{IDENTITY, as_root, copy_rootfs, text};

/// Runs a script with the folder as its volume, and returns what it printed.
fn with_volume(folder: &Folder, flags: &[&str], script: &str) -> String {
    let volume = format!("{}:/volume", folder.path().display());
    let command = ["--volume", &volume, "--", "sh", "-c", script];
    let report = run("env", &as_root(&[flags, &command].concat()));
    report.stdout + &report.stderr
}

#[test]
fn what_root_writes_belongs_to_another_user_outside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let open_to_all = Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), open_to_all).expect("open it");
    // The control: with another map it belongs to root.
    for (flags, owner) in [(&[][..], 100_000), (&IDENTITY[..], 0)] {
        let script = "touch /volume/file; stat -c %u:%g /volume/file";
        assert_eq!(with_volume(&folder, flags, script), "0:0\n");
        let file = folder.join("file");
        let found = file.metadata().expect("the file that was made");
        assert_eq!((found.uid(), found.gid()), (owner, owner));
        fs::remove_file(file).expect("remove it");
    }
}

#[test]
fn a_file_for_root_only_is_not_for_root_inside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let secret = folder.join("secret");
    fs::write(&secret, "the machine's\n").expect("write a secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o600))
        .expect("hide it");
    chown(&secret, Some(0), Some(0)).expect("give it to root");
    let read = "cat /volume/secret";
    let denied = with_volume(&folder, &[], read);
    assert!(denied.contains("Permission denied"), "{denied}");
    assert_eq!(with_volume(&folder, &IDENTITY, read), "the machine's\n");
    // Nor can it take what belongs to a user that is not mapped.
    let take = "stat -c %u /volume/secret; chown 0 /volume/secret";
    let denied = with_volume(&folder, &[], take);
    assert!(denied.starts_with("65534\n"), "{denied}");
    assert!(denied.contains("Operation not permitted"), "{denied}");
    assert_eq!(secret.metadata().expect("the secret").uid(), 0);
}

#[test]
fn it_can_give_its_files_to_those_that_are_mapped() {
    let _machine = Machine::new();
    let folder = Folder::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))
        .expect("open it");
    let give = "touch /volume/file; chown 1000:1000 /volume/file 2>&1";
    let flags = ["--uid-map", "0:100000:2000", "--gid-map", "0:100000:2000"];
    assert_eq!(with_volume(&folder, &flags, give), "");
    let found = folder.join("file").metadata().expect("the file");
    assert_eq!((found.uid(), found.gid()), (101_000, 101_000));
    // The control: 1000 is not mapped.
    let flags = ["--uid-map", "0:100000:1", "--gid-map", "0:100000:1"];
    let give = give.replace("file", "other");
    let refused = with_volume(&folder, &flags, &give);
    assert!(refused.contains("Invalid argument"), "{refused}");
}

#[test]
fn a_link_to_nothing_is_followed_inside_by_root_of_another_number() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let image = folder.join("image");
    copy_rootfs(&image);
    symlink("/var/late", image.join("late")).expect("make a link");
    fs::write(folder.join("file"), "shown\n").expect("write a file");
    let volume = format!("{}:/late/x/file", folder.text("file"));
    let image = ["--image", text(&image)];
    let show = ["cat", "/late/x/file"];
    let flags = [&image[..], &["--volume", &volume, "--"], &show].concat();
    let report = run("env", &as_root(&flags));
    assert_eq!(report.stdout, "shown\n", "{}", report.stderr);
    let without = [&image[..], &["--"], &show].concat();
    let control = run("env", &as_root(&without));
    assert_ne!(control.status, 0, "the control: nothing is there");
}
