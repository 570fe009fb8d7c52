//! Image files look root-owned inside, whichever user owns them outside.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use witness::{
    Covers, Folder, Machine, Reachable, Report, eventually, process, run,
};

use crate::images::Image;
use crate::{STEP06, as_root, as_sudo, program};

/// What the odd files of an image look like inside.
const LOOK: &str = "cd /odd; stat -c '%n %u:%g %a %h' * ; \
    readlink link; readlink broken; cat another; id -u";
const AS_EXPECTED: &str = "another 0:0 640 2\nbroken 0:0 777 1\n\
    link 0:0 777 1\none 0:0 640 2\nsetuid 0:0 4755 1\n\
    one\n/nowhere\nas it was\n0\n";

/// Says whether all is as expected, and writes to a file of the image.
fn look(starting: &[&str], image: &str) -> Report {
    let write = format!("{LOOK}; echo more >>/odd/one && cat /odd/another");
    let command = ["--image", image, "--", "sh", "-c", &write];
    run("env", &[starting, &command].concat())
}

fn assert_as_expected(report: &Report, what: &str) {
    assert_eq!(report.stderr, "", "{what}");
    let (before, after) = report.stdout.split_at(AS_EXPECTED.len());
    assert_eq!(before, AS_EXPECTED, "{what}");
    // overlayfs copies one name of a file up, and the other stays as it was.
    assert!(after.starts_with("as it was\n"), "{what}: {after}");
}

fn assert_root_owned(image: &Image, path: &str, what: &str) {
    let before = image.as_it_is();
    assert_as_expected(&look(&as_root(&[]), path), what);
    assert_as_expected(&look(&as_sudo(&[]), path), what);
    assert_eq!(image.as_it_is(), before, "{what}: the image was changed");
}

/// A person for whom numbers are set aside, among them the person's own: the
/// worst case for code that translates twice.
fn person() -> Covers {
    let files = Covers::new();
    files.cover("/etc/passwd", "person:x:1500:1600::/:/bin/sh\n");
    files.cover("/etc/subuid", "person:100000:65536\n");
    files.cover("/etc/subgid", "person:100000:65536\n");
    files
}

#[test]
fn roots_image_on_a_disk_looks_root_owned() {
    let _machine = Machine::new();
    let (image, _files) = (Image::of(0), person());
    assert_root_owned(&image, &image.text(), "a disk");
}

#[test]
fn another_users_image_on_a_disk_looks_root_owned() {
    let _machine = Machine::new();
    let (image, _files) = (Image::of(1234), person());
    assert_root_owned(&image, &image.text(), "a disk");
}

#[test]
fn where_the_filesystem_cannot_a_copy_looks_the_same() {
    let _machine = Machine::new();
    for owner in [0, 1234] {
        let (image, files) = (Image::of(owner), person());
        let overlay = image.on_an_overlay(&files);
        assert_root_owned(&image, &overlay, "an overlay");
        let tmpfs = image.on_a_tmpfs(&files);
        assert_root_owned(&image, &tmpfs, "a tmpfs");
    }
}

/// Below / is /proc, whose owners cannot be mapped; but a layer is one
/// filesystem, and what is mounted on it does not show in an overlay.
#[test]
fn the_machines_own_files_are_a_layer_like_any_other() {
    let _machine = Machine::new();
    let flags = ["PATH=/nowhere", STEP06, "-q", "--network", "none"];
    let command = ["--image", "/", "--", "stat", "-c", "%u", "/bin/sh"];
    let report = run("/usr/bin/env", &[&flags[..], &command].concat());
    assert_eq!(report.stdout, "0\n", "{}", report.stderr);
    assert_eq!(report.stderr, "", "and without cp there was no copy");
}

/// The copy is made by cp(1). Where it cannot be found, and all is well all
/// the same, there was none.
#[test]
fn on_a_disk_nothing_is_copied() {
    let _machine = Machine::new();
    let (image, files) = (Image::of(0), person());
    image.assert_on_a_disk();
    let no_programs = [&["PATH=/nowhere"], &as_sudo(&[])[..]].concat();
    let report = look(&no_programs, &image.text());
    assert_as_expected(&report, "a disk");
    // The control: where a copy is needed.
    let report = look(&no_programs, &image.on_an_overlay(&files));
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("run cp"), "{}", report.stderr);
}

#[test]
fn an_image_of_the_person_is_used_as_it_is() {
    let _machine = Machine::new();
    let (image, files) = (Image::of(1500), person());
    // An overlay may lie on one other overlay, and not on two.
    image.assert_on_a_disk();
    program("chown", &["-hR", "1500:1600", &image.text()]);
    program("chmod", &["4755", &image.folder.text("image/odd/setuid")]);
    let no_programs = [&["PATH=/nowhere"], &as_sudo(&[])[..]].concat();
    let overlay = image.on_an_overlay(&files);
    assert_as_expected(&look(&no_programs, &overlay), "as it is");
}

#[test]
fn other_owners_are_kept_if_they_are_mapped() {
    let _machine = Machine::new();
    let (image, files) = (Image::of(0), person());
    let path = |name| image.folder.text(&format!("image/odd/{name}"));
    program("chown", &["-h", "7:8", &path("link")]);
    program("chown", &["70000:100001", &path("setuid")]);
    let look = "cd /odd; stat -c %u:%g one link setuid";
    let overlay = image.on_an_overlay(&files);
    for layer in [image.text(), overlay] {
        let flags = ["--image", &layer, "--", "sh", "-c", look];
        let report = run("env", &as_root(&flags));
        assert_eq!(report.stdout, "0:0\n7:8\n65534:65534\n", "{layer}");
    }
}

#[test]
fn several_layers_may_have_several_owners() {
    let _machine = Machine::new();
    let (lower, upper) = (Image::of(0), Image::of(1234));
    std::fs::remove_dir_all(upper.path().join("usr")).expect("remove");
    std::fs::write(upper.path().join("odd/one"), "above\n").expect("write");
    let look = "cd /odd; stat -c %u:%g one /usr/bin; cat one";
    let layers = ["--image", &lower.text(), "--image", &upper.text()];
    let command = ["--", "sh", "-c", look];
    let report = run("env", &as_root(&[&layers[..], &command].concat()));
    assert_eq!(report.stdout, "0:0\n0:0\nabove\n", "{}", report.stderr);
}

#[test]
fn the_folder_for_the_writes_belongs_to_root_inside() {
    let _machine = Machine::new();
    let image = Image::of(0);
    image.assert_on_a_disk();
    let upper = image.folder.text("kept");
    let flags = ["--upper", &upper, "--image", &image.text()];
    let command = ["--", "sh", "-c", "echo new >/new; rm /odd/one"];
    let report = run("env", &as_root(&[&flags[..], &command].concat()));
    assert_eq!(report.stderr, "");
    let owner = |path: &str| {
        let found = image.folder.join(path).symlink_metadata();
        found.map(|found| found.uid()).expect(path)
    };
    for path in ["kept", "kept/upper", "kept/work", "kept/upper/new"] {
        assert_eq!(owner(path), 100_000, "{path}");
    }
    // The next container finds it as it was left.
    let command = ["--", "sh", "-c", "cat /new; ls /odd"];
    let report = run("env", &as_root(&[&flags[..], &command].concat()));
    let expected = "new\nanother\nbroken\nlink\nsetuid\n";
    assert_eq!(report.stdout, expected, "{}", report.stderr);
}

#[test]
fn an_image_below_a_private_home_can_be_used() {
    let _machine = Machine::new();
    for owner in [0, 1500] {
        let (home, image) = (Folder::new(), Image::of(owner));
        let place = home.text("image");
        program("cp", &["-a", &image.text(), &place]);
        let home = home.path().to_str().expect("a plain path");
        program("chown", &["1500:1600", home]);
        program("chmod", &["700", home]);
        for starting in [as_root(&[]), as_sudo(&[])] {
            let command = ["--image", &place, "--", "sh", "-c", LOOK];
            let report = run("env", &[&starting[..], &command].concat());
            assert_eq!(report.stdout, AS_EXPECTED, "{}", report.stderr);
        }
        // The control: root inside may not walk there.
        let walk = ["--reuid", "100000", "--clear-groups", "ls", &place];
        let walk = witness::command("setpriv").args(walk).output();
        assert!(!walk.expect("start setpriv").status.success());
    }
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    const MOMENTS: u32 = 30;
    let _machine = Machine::new();
    let (image, files) = (Image::of(0), Covers::new());
    for layer in [image.text(), image.on_an_overlay(&files)] {
        let image = ["--image", &layer];
        let start = Instant::now();
        let command = as_root(&[&image[..], &["true"]].concat());
        assert_eq!(run("env", &command).status, 0);
        let whole = start.elapsed();
        for moment in 0..MOMENTS {
            let command = [&image[..], &["sleep", "1000"]].concat();
            let mut launcher = witness::command("env")
                .args(as_root(&command))
                .stderr(Stdio::null())
                .spawn()
                .expect("start step06");
            // No wait for anything: each round kills it a little later.
            sleep(whole * moment / MOMENTS);
            launcher.kill().expect("kill it");
            launcher.wait().expect("wait for it");
        }
    }
}

#[test]
fn without_user_namespaces_the_switch_is_named() {
    let _machine = Machine::new();
    let (image, step06) = (Image::for_all(), Reachable::new(STEP06));
    // In a user namespace of the test's own the switch can be set.
    let run_with = |limit: &str| {
        let script = format!(
            "echo {limit} >/proc/sys/user/max_user_namespaces && exec {} {}",
            format_args!("env -u SUDO_UID -u SUDO_GID {}", step06.path()),
            format_args!("--network none --image {} true", image.text()),
        );
        run("unshare", &["--user", "--map-root-user", "sh", "-c", &script])
    };
    let report = run_with("0");
    assert_eq!(report.status, 125, "{}", report.stderr);
    let file = "/proc/sys/user/max_user_namespaces";
    assert!(report.stderr.contains(file), "{}", report.stderr);
    assert!(report.stderr.contains("No space left"), "{}", report.stderr);
    // The control: with enough of them another reason is given.
    assert!(!run_with("100").stderr.contains(file));
}

/// Its paths lead through /proc/PID of the launcher, and that number will be
/// somebody else's.
#[test]
fn the_copy_of_a_layer_ends_with_its_launcher() {
    let _machine = Machine::new();
    let _files = Covers::new();
    let folder = Folder::below(std::path::Path::new("/var/tmp"));
    let layer = folder.text("layer");
    std::fs::create_dir(&layer).expect("make a folder");
    // A filesystem without idmapped mounts, and a file for which our patience
    // would not last: a copy that is gone sooner has not ended by itself.
    program("mount", &["-t", "ramfs", "ramfs", &layer]);
    program("truncate", &["-s", "8T", &format!("{layer}/large")]);
    let arguments = as_root(&["--image", &layer, "true"]);
    let mut launcher = Command::new("env")
        .args(arguments)
        .stderr(Stdio::null())
        .spawn()
        .expect("start it");
    let children = || process::children(launcher.id() as i32);
    let is_copy = |pid: &i32| process::name(*pid) == "cp";
    let mut copy = None;
    eventually("the copy: the control", || {
        copy = children().into_iter().find(is_copy);
        copy.is_some()
    });
    let copy = copy.expect("the copy");
    launcher.kill().expect("kill it");
    launcher.wait().expect("wait for it");
    eventually("the copy to follow", || process::is_gone(copy));
    process::reap_orphans();
    program("umount", &["--lazy", &layer]);
}
